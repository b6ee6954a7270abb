"""English words for abbreviations, units, money and signs."""

# ruff: noqa: E501, RUF001  (tables; typographic characters)

from __future__ import annotations

from avatarlab_ops.reading.language import Money
from avatarlab_ops.reading.units import units

TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Dr": "doctor", "Prof": "professor", "St": "saint",
    "Mt": "mount",
    "Ft": "fort", "Gen": "general", "Gov": "governor", "Sen": "senator", "Rep": "representative",
    "Capt": "captain",
    "Lt": "lieutenant", "Col": "colonel", "Sgt": "sergeant", "Rev": "reverend", "Hon": "honorable",
    "Pres": "president",
    "Messrs": "messieurs",
}  # fmt: skip
SHORT = {
    "e.g.": "for example", "E.g.": "for example", "i.e.": "that is", "I.e.": "that is", "etc.": "et cetera", "vs.": "versus", "vs": "versus",
    "approx.": "approximately",
    "cf.": "compare", "ca.": "circa", "Jr.": "junior", "Sr.": "senior", "Ave.": "avenue",
    "Blvd.": "boulevard", "Rd.": "road",
    "Inc.": "incorporated", "Ltd.": "limited", "Corp.": "corporation", "Co.": "company",
    "dept.": "department", "Dept.": "department",
    "est.": "established", "max.": "maximum", "hrs.": "hours", "mins.": "minutes", "mins": "minutes",
    "a.k.a.": "also known as", "ea.": "each", "appt.": "appointment", "Appt.": "appointment", "inc. VAT": "including VAT", "inc. tax": "including tax", "inc. GST": "including GST",
    "yrs.": "years", "mos.": "months",
    "w/o": "without", "w/": "with", "and/or": "and or", "N/A": "not applicable", "n/a": "not applicable",
    "c/o": "care of",
    "&c.": "et cetera", "Apt.": "apartment", "ext.": "extension",
    "tel.": "telephone", "Tel.": "telephone", "YoY": "year over year", "QoQ": "quarter over quarter",
    "MoM": "month over month",
    "p.a.": "per annum", "p/m": "per month", "b.d.": "twice a day", "t.d.s.": "three times a day",
}  # fmt: skip
NUMBERED = {
    "No.": "number", "Nos.": "numbers", "no.": "number", "p.": "page", "pp.": "pages", "Fig.": "figure",
    "fig.": "figure",
    "Ch.": "chapter", "ch.": "chapter", "Sec.": "section", "sec.": "section", "Vol.": "volume",
    "vol.": "volume", "Eq.": "equation",
    "Art.": "article", "Op.": "opus", "op.": "opus", "rev.": "revision",
}  # fmt: skip
LARGE = {
    "k": "thousand",
    "K": "thousand",
    "M": "million",
    "B": "billion",
    "bn": "billion",
    "mn": "million",
    "tn": "trillion",
    "trn": "trillion",
}

UNITS = units({
    "meter": "meters", "gram": "grams", "liter": "liters", "second": "seconds", "minute": "minutes",
    "hour": "hours",
    "watt": "watts", "volt": "volts", "ampere": "amperes", "hertz": "hertz", "byte": "bytes",
    "bit": "bits", "pixel": "pixels",
    "pascal": "pascals", "joule": "joules", "calorie": "calories", "bar": "bars", "ton": "tonnes",
    "hectare": "hectares",
    "decibel": "decibels", "degree": "degrees", "kilo": "kilo", "mega": "mega", "giga": "giga",
    "tera": "tera", "peta": "peta",
    "hecto": "hecto", "deci": "deci", "centi": "centi", "milli": "milli", "micro": "micro", "nano": "nano",
    "square": "square {}", "cubic": "cubic {}", "Celsius": "{} Celsius", "Fahrenheit": "{} Fahrenheit",
    "hours_after": "{} hours",
    "per_second": "{} per second", "per_hour": "{} per hour", "percent": "percent",
    "permille": "per mille", "ppm": "parts per million",
    "day": "days",
}) | {
    "mph": ("mile per hour", "miles per hour"), "mi": ("mile", "miles"), "ft": ("foot", "feet"),
    "yd": ("yard", "yards"),
    "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "gal": ("gallon",
    "gallons"),
    "sq ft": ("square foot", "square feet"), "fps": ("frame per second", "frames per second"),
    "dpi": ("dot per inch", "dots per inch"),
    "rpm": ("revolution per minute", "revolutions per minute"), "bpm": ("beat per minute",
    "beats per minute"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "sec": ("second", "seconds"), "yr": ("year",
    "years"), "yrs": ("year", "years"),
    "mo": ("month", "months"), "wk": ("week", "weeks"), "in.": ("inch", "inches"), "¢": ("cent", "cents"),
    "m/s²": ("meter per second squared", "meters per second squared"),
    "pp": ("percentage point", "percentage points"), "bps": ("basis point", "basis points"),
    "mpg": ("mile per gallon", "miles per gallon"), "dL": ("deciliter", "deciliters"),
    "mmHg": ("millimeter of mercury", "millimeters of mercury"),
    "mm Hg": ("millimeter of mercury", "millimeters of mercury"),
    "tbsp": ("tablespoon", "tablespoons"), "tsp": ("teaspoon", "teaspoons"),
    "IU": ("international unit", "international units"), "MP": ("megapixel", "megapixels"),
    "kN": ("kilonewton", "kilonewtons"), "Nm": ("newton meter", "newton meters"),
    "Ω": ("ohm", "ohms"), "kΩ": ("kiloohm", "kiloohms"), "MΩ": ("megaohm", "megaohms"),
    "µF": ("microfarad", "microfarads"), "kgs": ("kilogram", "kilograms"), "sq. ft.": ("square foot", "square feet"),
    "sq. ft": ("square foot", "square feet"), "cu ft": ("cubic foot", "cubic feet"),
    "BPM": ("beat per minute", "beats per minute"), "RPM": ("revolution per minute", "revolutions per minute"),
    "KiB": ("kibibyte", "kibibytes"), "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"),
    "TiB": ("tebibyte", "tebibytes"),
    "psi": ("pound per square inch", "pounds per square inch"),
}  # fmt: skip
_DOLLAR, _CENT = ("dollar", "dollars"), ("cent", "cents")
MONEY = {
    "$": Money(*_DOLLAR, *_CENT), "USD": Money("U S dollar", "U S dollars", *_CENT),
    "US$": Money("U S dollar", "U S dollars", *_CENT),
    "C$": Money("Canadian dollar", "Canadian dollars", *_CENT), "CA$": Money("Canadian dollar",
    "Canadian dollars", *_CENT),
    "CAD": Money("Canadian dollar", "Canadian dollars", *_CENT),
    "AUD": Money("Australian dollar", "Australian dollars", *_CENT),
    "A$": Money("Australian dollar", "Australian dollars", *_CENT), "HK$": Money("Hong Kong dollar",
    "Hong Kong dollars", *_CENT),
    "NZ$": Money("New Zealand dollar", "New Zealand dollars", *_CENT),
    "£": Money("pound", "pounds", "penny", "pence"), "GBP": Money("pound", "pounds", "penny", "pence"),
    "€": Money("euro", "euros", *_CENT), "EUR": Money("euro", "euros", *_CENT),
    "¥": Money("yen", "yen", "", ""), "JPY": Money("yen", "yen", "", ""), "₹": Money("rupee", "rupees",
    "paisa", "paise"),
    "₩": Money("won", "won", "", ""), "₽": Money("ruble", "rubles", "kopeck", "kopecks"),
    "₺": Money("lira", "lira", "", ""),
    "₿": Money("bitcoin", "bitcoins", "", ""), "CHF": Money("Swiss franc", "Swiss francs", "centime",
    "centimes"),
    "₴": Money("hryvnia", "hryvnias", "kopeck", "kopecks"), "R$": Money("real", "reais", "centavo",
    "centavos"),
}  # fmt: skip
SIGNS = {
    "%": "percent", "‰": "per mille", "&": "and", "+": "plus", "=": "equals", "@": "at", "#": "hash",
    "/": "slash", "\\": "backslash",
    "*": "star", "_": "underscore", "~": "tilde", "^": "caret", "|": "bar", "<": "less than",
    ">": "greater than",
    "≤": "less than or equal to", "≥": "greater than or equal to", "<=": "less than or equal to",
    ">=": "greater than or equal to",
    "!=": "is not equal to", "==": "equals", "->": "to", "=>": "to", "→": "to", "←": "from",
    "≠": "is not equal to", "≈": "about",
    "±": "plus or minus", "×": "times", "÷": "divided by", "√": "the square root of", "∞": "infinity",
    "°": "degrees", "§": "section",
    "¶": "paragraph", "©": "copyright", "®": "registered", "™": "trademark", "€": "euro", "£": "pound",
    "$": "dollar", "¥": "yen",
    "¢": "cent", "²": "squared", "³": "cubed", "∑": "sum", "∫": "integral", "∂": "partial", "∆": "delta",
    "µ": "micro", "№": "number",
    "℃": "degrees Celsius", "℉": "degrees Fahrenheit", "ª": "a", "º": "o",
    "♯": "sharp", "♭": "flat",
}  # fmt: skip
GREEK = dict(zip(
    "αβγδεζηθικλμνξοπρσςτυφχψω",
    ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu",
    "nu", "xi", "omicron", "pi", "rho", "sigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"],
    strict=True,
))  # fmt: skip
# No noun that an amount describes: a $5 of, a 5 kg in.
NO_DESCRIBED = (
    "of|to|in|for|and|or|is|was|are|were|at|on|from|with|than|by|per|as|if|less|more|off|a|an|the|each|total|worth|"
    "tall|long|wide|high|deep|away|ago|later|old|because|but|when|while|that|which|today|now|yearly|monthly|annually|"
    "back|extra|apiece|plus|minus|up|down|over|under|below|above|between|until|through|across|every|here|there|so|"
    "left|remaining|required|needed|apart|has|have|had|will|can|it|we|you|they|he|she|I"
)


# Nouns that an amount describes after the and our, where a verb may follow as well: the $50 goes, the $50 plan.
DESCRIBED = (
    "plan|price|fee|deal|limit|cap|round|gift|coupon|voucher|discount|bonus|course|ticket|"
    "drive|disk|file|monitor|screen|display|laptop|bag|box|bottle|battery|charger|"
    "heater|lamp|bulb|cable|pipe|motor|final|sprint|race|run|walk|ride|hike|swim|relay|freestyle|"
    "version|model|option|package|tier|offer|charge|tip|bill|note|coin|prize|reward|grant|"
    "loan|deposit|budget|fund|investment|trip|flight|meeting|video|lesson|session|break|"
    "timer|delay|range|rule|minimum|maximum|threshold|thread|woman|man|player|valuation"
)
ORDERED = (
    "Henry|Louis|Charles|George|Edward|William|James|Richard|Philip|Frederick|Elizabeth|Napoleon|Pope|"
    "John|Paul|Pius|Benedict|Peter|Catherine|Nicholas|Alexander|Leo|Gregory|King|Queen|Ivan|Otto|"
    "Wilhelm|Mary|Ferdinand|Francis|Clement|Innocent|Leopold|Ramesses|Ptolemy"
)
COUNTED = (
    "Chapter|Part|Volume|Vol|Section|Act|Scene|Book|Article|Appendix|Phase|Type|Class|Level|Stage|"
    "Figure|Table|War|Episode|Title|Lesson|Round|Unit|Grade|Category|Rocky|Bowl|Mark|Tier|Generation|"
    "Series|Season|Room|Gallery|Hall|Annex|Exhibit|Module|Step|Group|Zone"
)
