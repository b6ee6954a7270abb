"""French."""

# ruff: noqa: E501, RUF001  (tables; typographic characters)

from __future__ import annotations

import re

from avatarlab_ops.reading import addresses, both_genders, romance, tables
from avatarlab_ops.reading.gender import feminine
from avatarlab_ops.reading.language import Language, Money, Rule, cardinal, ordinal
from avatarlab_ops.reading.numbers import roman

_MONTHS = tables.names("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
_FEMININE = re.compile(
    r"(heure|minute|seconde|milliseconde|tonne|calorie|kilocalorie|livre|roupie|couronne|once)s?\b"
)


def _agree(number: str, noun: str) -> str:
    if number.endswith(("million", "millions", "milliard", "milliards")):
        return f"{number} de"
    one = _FEMININE.match(noun) and " virgule " not in number
    return re.sub(r"\bun$", "une", number) if one else number


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{'premier' if day == 1 else cardinal('fr', day)} {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {cardinal('fr', when)}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = f"{_agree(cardinal('fr', hour), 'heures')} heure{'s' * (hour > 1)}"
    said += f" {_agree(cardinal('fr', minute), 'minutes')}" if minute else ""
    if second:
        return f"{said} et {_agree(cardinal('fr', second), 'secondes')} seconde{'s' * (second > 1)}"
    return said


def _clock(match: re.Match[str]) -> str | None:
    hour, minute = int(match[1]), int(match[2])
    return _say_time(hour, minute, None) if hour <= 24 and minute < 60 else None


def _counted(number: str, feminine: bool, _: str) -> str:
    """une page, vingt et une pages; no other number follows its noun."""
    return re.sub(r"\bun$", "une", number) if feminine else number


def _formed(said: str, ending: str) -> str:
    said = said.replace("quatre-vingtsième", "quatre-vingtième").replace("centsième", "centième")
    if ending in ("ers", "res", "èmes", "emes", "es", "ndes"):
        return f"{_formed(said, ending[:-1])}s"
    if said == "premier" and ending in ("re", "ère", "ere"):
        return "première"
    return {"nd": "second", "nde": "seconde"}.get(ending, said)


def _century(match: re.Match[str]) -> str | None:
    value = roman(match[1])
    return _formed(ordinal("fr", value), match[2].replace("ᵉʳ", "er")) if value else None


def _king(value: int) -> str:
    return "premier" if value == 1 else cardinal("fr", value)


def _telephone(match: re.Match[str]) -> str:
    groups = re.split("[ .]", match[0])
    zeroed = (
        f"{cardinal('fr', 0)} {cardinal('fr', int(group))}" if group[0] == "0" and len(group) > 1
        else cardinal("fr", int(group))
        for group in groups
    )  # fmt: skip
    return ", ".join(zeroed)


def _days(match: re.Match[str]) -> str | None:
    """24h/24, 7j/7."""
    if match[1] != match[3] or match[2] not in "hj":
        return None
    many = cardinal("fr", int(match[1]))
    return f"{many} {'heures' if match[2] == 'h' else 'jours'} sur {many}"


def _race(match: re.Match[str]) -> str:
    """2h05'13"."""
    return _say_time(int(match[1]), int(match[2]), int(match[3]))


def _half(match: re.Match[str]) -> str:
    return f"{'une' if match[1] == 'c. à' or feminine('fr', match[1]) else 'un'} demi"


_WEEKDAYS = romance.names(
    "lun mar mer jeu ven sam dim", tables.names("lundi mardi mercredi jeudi vendredi samedi dimanche")
)
_SHORT_MONTHS = romance.names("janv fév/févr mars avr mai juin juil/juill août sept oct nov déc", _MONTHS)
_DOLLARS = {
    "US": Money("dollar américain", "dollars américains", "cent", "cents"),
    "CA": Money("dollar canadien", "dollars canadiens", "cent", "cents"),
}
_FRACTIONS = tables.fractions(
    "un demi, un tiers, deux tiers, un quart, trois quarts, un cinquième, deux cinquièmes, trois cinquièmes, "
    "quatre cinquièmes, un sixième, un huitième, trois huitièmes, cinq huitièmes, sept huitièmes"
)
_SHORT = {
    "M.": "monsieur", "MM.": "messieurs", "Mme": "madame", "Mmes": "mesdames", "Mlle": "mademoiselle",
    "Dr": "docteur", "Dr.": "docteur", "Pr": "professeur", "Me": "maître", "p. ex.": "par exemple",
    "etc.": "et cetera", "Ex.": "exemple", "pers.": "personnes", "c.-à-d.": "c'est-à-dire", "env.": "environ",
    "av. J.-C.": "avant Jésus-Christ", "ap. J.-C.": "après Jésus-Christ", "apr. J.-C.": "après Jésus-Christ",
    "av. J.-C": "avant Jésus-Christ", "ap. J.-C": "après Jésus-Christ", "apr. J.-C": "après Jésus-Christ",
    "tél.": "téléphone", "Tél.": "téléphone", "av.": "avenue", "bd": "boulevard", "vs": "contre",
    "et/ou": "et ou", "A/R": "aller-retour", "hab.": "habitants", "c. à café": "cuillère à café",
    "réf.": "référence", "Réf.": "référence", "max.": "maximum", "Max.": "maximum",
    "RDV": "rendez-vous", "rdv": "rendez-vous", "Env.": "environ", "c. à soupe": "cuillère à soupe", "c. à c.": "cuillère à café", "c. à s.": "cuillère à soupe",
}  # fmt: skip
_BEFORE_NUMBER = {
    "p.": "page", "pp.": "pages", "chap.": "chapitre", "fig.": "figure", "Fig.": "figure", "art.": "article",
    "Art.": "article", "vol.": "volume", "al.": "alinéa", "env.": "environ",
}  # fmt: skip
_KINGS = "Jean|Louis|Henri|Charles|François|Philippe|Napoléon|Jean-Paul|Pie|Benoît|Élisabeth"
_PARTS = "chapitre|Chapitre|livre|Livre|tome|volume|acte|phase|type|niveau|article|titre|partie"
_NUMBERED = "chapitre|page|numéro|article|niveau|étage|canal|point|partie|phase|option|étape|thème|groupe"
_OWN = (
    *both_genders.romance("fr"),
    romance.short(_SHORT),
    romance.numero("numéro"),
    Rule("pages", re.compile(r"(?<![\w.])p\.(?= ?\d+ ?(?:à|et|[-–]) ?\d)"), lambda _: "pages"),
    romance.shortened(_BEFORE_NUMBER, romance.numbering("[sx]")),
    *romance.dated((_MONTHS, _SHORT_MONTHS), _WEEKDAYS, "à", _say_date),
    Rule("race", re.compile(r"(?<!\w)(\d{1,2}) ?h ?(\d\d)['’′](\d\d)(?:[\"”″]|['’]{2})?(?!\w)"), _race),
    Rule("time", re.compile(r"(?<![\w:.,])(\d{1,2}) ?h ?(\d{2})(?: ?min)?(?!\w)"), _clock),
    Rule("always", re.compile(r"(?<![\w.,])(\d{1,2}) ?(h|j)/(\d{1,2})(?![\w/])"), _days),
    Rule("saint", re.compile(r"\b(Ste?)-(?=[A-ZÉ])"), lambda m: "sainte" if m[1] == "Ste" else "saint"),
    romance.ordinals("fr", r"(ers?|res?|ère|ere|es?|è|èmes?|emes?|ième|nde?|ᵉʳ|ᵉ)", _formed),
    Rule("century", re.compile(r"(?:(?<![\w-])|(?<=[IVX]e-))([IVX]+)(er|re|ère|e|ème|ᵉʳ|ᵉ)(?!\w)"), _century),
    Rule("century", re.compile(r"(?<=[IVX]e)-(?=[IVX]+e(?!\w))"), lambda _: ""),
    Rule(
        "century",
        re.compile(r"(?<=[IVX]e )s\.(?=[ ,;:)]|$)"),
        lambda m: "siècle" + "." * (m.end() == len(m.string)),
    ),
    Rule(
        "company",
        re.compile(
            r"(?:(?<=\bSIRET )|(?<=\bSIREN )|(?<=\bSIRET : )|(?<=\bSIREN : ))\d{3}(?: ?\d{3}){2}(?: ?\d{5})?(?![\w])"
        ),
        lambda m: addresses.telephone(m[0], FRENCH),
    ),
    *romance.telephones(
        lambda: FRENCH,
        r"0[1-9](?:[ .]\d{2}){4}",
        r"0 8\d\d \d{3} \d{3}",
        r"08\d\d(?: \d\d){3}",
        say=_telephone,
    ),
    Rule("half", re.compile(rf"(?<![\w.,/])(?<!\d )(?:½|1/2) (?=({romance.NOUN}|c\. à))"), _half),
    romance.month_year(_MONTHS, "fr", ""),
    romance.fractions(_FRACTIONS),
    romance.counted("fr", _counted, _NUMBERED),
    romance.parts(
        {"chap": "chapitre", "vol": "volume", "art": "article", "t": "tome"}, lambda n: cardinal("fr", n)
    ),
    romance.roman(_KINGS, _king),
    romance.roman(_PARTS, lambda value: cardinal("fr", value)),
)

FRENCH: Language = Language(
    code="fr", decimal=",", point="virgule", minus="moins", plus="plus", to="à", by="par", power="puissance",
    and_="et", of="de", digitwise=False, day_first=True, version="version", agree=_agree,
    signs=tables.signs(
        "pour cent, pour mille, et, plus, égale, arobase, dièse, barre oblique, barre oblique inverse, "
        "astérisque, tiret bas, environ, accent circonflexe, barre verticale, inférieur à, supérieur à, "
        "inférieur ou égal à, supérieur ou égal à, différent de, environ, plus ou moins, fois, divisé par, "
        "racine carrée de, infini, degrés, paragraphe, paragraphe, copyright, marque déposée, marque, euros, "
        "livres, dollars, yens, au carré, au cube, vers, numéro, micro, a, o"
    ) | tables.keys("dièse", "bémol"),
    web=tables.web(
        "point, arobase, slash, tiret, tiret bas, deux points, point d'interrogation, égale, et, "
        "dièse, plus, "
        "pour cent, tilde, virgule, point-virgule"
    ),
    units=tables.measures(
        "mètre|mètres, gramme|grammes, litre|litres, seconde|secondes, minute|minutes, heure|heures, "
        "watt|watts, volt|volts, ampère|ampères, hertz|hertz, octet|octets, bit|bits, pixel|pixels, "
        "pascal|pascals, joule|joules, calorie|calories, bar|bars, tonne|tonnes, hectare|hectares, "
        "décibel|décibels, degré|degrés, jour|jours",
        "kilo méga giga téra péta hecto déci centi milli micro nano",
        "{} carré|{} carrés, {} cube|{} cubes, "
        "{} Celsius, {} Fahrenheit, {} heure, {} par seconde, {} par heure, pour cent, "
        "pour mille, parties par million",
        "ch=cheval|chevaux, tr/min=tour par minute|tours par minute, Mb=mégabit|mégabits, Gb=gigabit|gigabits, "
        "bpm=battement par minute|battements par minute, mmHg=millimètre de mercure|millimètres de mercure, hab=habitant|habitants, "
        "ko=kilooctet|kilooctets, Mo=mégaoctet|mégaoctets, Go=gigaoctet|gigaoctets, To=téraoctet|téraoctets",
    ),
    per="par",
    money=tables.money({
        "€ EUR": "euro|euros|centime|centimes", "$": "dollar|dollars|cent|cents",
        "US$ USD": "dollar américain|dollars américains|cent|cents",
        "CAD": "dollar canadien|dollars canadiens|cent|cents", "£ GBP": "livre|livres|penny|pence",
        "¥ JPY": "yen|yens||", "CHF": "franc suisse|francs suisses|centime|centimes",
        "₹": "roupie|roupies|paisa|paisas", "₿": "bitcoin|bitcoins||",
    }) | {f"${space}{code}": one for space in " \u00a0\u202f" for code, one in _DOLLARS.items()},
    scales={
        "mille": "mille", "million": "million", "millions": "millions", "milliard": "milliard",
        "milliards": "milliards", "M": "millions", "Md": "milliards", "Mds": "milliards", "k": "mille", "K": "mille",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "alpha bêta gamma delta epsilon zêta êta thêta iota kappa lambda mu nu xi omicron pi rhô sigma tau "
        "upsilon phi chi psi oméga"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, each="aux", out_of="sur", over="sur", times="fois",
    half=lambda n: f"{cardinal('fr', n)} et demi",
)  # fmt: skip
