"""Measures by their symbols, put together from a language's words for units and prefixes."""

from __future__ import annotations

from collections.abc import Mapping

_PREFIXED = {
    "meter": {"m": "", "km": "kilo", "dm": "deci", "cm": "centi", "mm": "milli", "µm": "micro", "nm": "nano"},
    "gram": {"g": "", "kg": "kilo", "mg": "milli", "µg": "micro"},
    "liter": {"l": "", "L": "", "hl": "hecto", "dl": "deci", "cl": "centi", "ml": "milli", "mL": "milli"},
    "second": {"s": "", "ms": "milli", "µs": "micro", "ns": "nano"},
    "watt": {"W": "", "mW": "milli", "kW": "kilo", "MW": "mega", "GW": "giga", "TW": "tera"},
    "volt": {"V": "", "mV": "milli", "kV": "kilo"},
    "ampere": {"mA": "milli"},
    "hertz": {"Hz": "", "kHz": "kilo", "MHz": "mega", "GHz": "giga"},
    "byte": {"kB": "kilo", "KB": "kilo", "MB": "mega", "GB": "giga", "TB": "tera", "PB": "peta"},
    "bit": {"kbit": "kilo", "Mbit": "mega", "Gbit": "giga"},
    "pascal": {"Pa": "", "hPa": "hecto", "kPa": "kilo", "MPa": "mega"},
    "joule": {"J": "", "kJ": "kilo", "MJ": "mega"},
    "calorie": {"cal": "", "kcal": "kilo"},
}
_PLAIN = {
    "min": "minute", "h": "hour", "d": "day", "px": "pixel", "bar": "bar", "t": "ton", "ha": "hectare",
    "dB": "decibel"
}  # fmt: skip
_AREAS = ("m", "km", "cm", "mm", "dm")


def units(words: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Symbol to (one, many). `words` gives the plural of each unit, each prefix, and patterns with {}.

    A pattern is ONE|MANY where they differ.
    """
    found = {
        symbol: _both(words, unit, prefix)
        for unit, symbols in _PREFIXED.items()
        for symbol, prefix in symbols.items()
    }
    found |= {symbol: _both(words, unit, "") for symbol, unit in _PLAIN.items()}
    for symbol in _AREAS:
        for sign, pattern in (("²", "square"), ("2", "square"), ("³", "cubic"), ("3", "cubic")):
            found[symbol + sign] = _formed(words[pattern], found[symbol])
    for symbol, base in {"Wh": "W", "kWh": "kW", "MWh": "MW", "GWh": "GW", "TWh": "TW", "mAh": "mA"}.items():
        found[symbol] = _formed(words["hours_after"], (found[base][0], found[base][0]))
    for symbol, base in {"kbps": "kbit", "Mbps": "Mbit", "Gbps": "Gbit"}.items():
        found[symbol] = _formed(words["per_second"], found[base])
    found["°"] = degrees = _both(words, "degree", "")
    found |= {f"°{scale[0]}": _formed(words[scale], degrees) for scale in ("Celsius", "Fahrenheit")}
    for sign in ("° ", "º", "º "):  # the last is the Spanish ordinal's, which many keyboards have instead
        found |= {symbol.replace("°", sign): found[symbol] for symbol in ("°C", "°F")}
    found |= {"℃": found["°C"], "℉": found["°F"], "km/h": _formed(words["per_hour"], found["km"])}
    found |= {"kph": found["km/h"], "m/s": _formed(words["per_second"], found["m"])}
    found |= {"㎡": found["m²"], "㎏": found["kg"], "㎞": found["km"]}
    found |= {"㎝": found["cm"], "㎜": found["mm"], "㎎": found["mg"], "㎥": found["m³"], "㎢": found["km²"]}
    for sign, name in (("%", "percent"), ("‰", "permille"), ("ppm", "ppm")):
        found[sign] = (words[name], words[name])
    return found | {symbol.replace("µ", "\u03bc"): both for symbol, both in found.items() if "µ" in symbol}


def _both(words: Mapping[str, str], unit: str, prefix: str) -> tuple[str, str]:
    before = words[prefix] if prefix else ""
    return before + words.get(f"one_{unit}", unit), before + words[unit]


def _formed(pattern: str, both: tuple[str, str]) -> tuple[str, str]:
    one, _, many = pattern.partition("|")
    return one.format(both[0]), (many or one).format(both[1])
