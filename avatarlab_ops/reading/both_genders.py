"""Forms for women and men in one word: Mitarbeiter*innen, alumnos/as, tod@s, étudiant·e·s, iscritto/a.

German ones are said with a short breath, as people do; the others as two words: alumnos y alumnas.
"""

# ruff: noqa: E501, RUF001  (tables; typographic characters)

from __future__ import annotations

import re
import unicodedata

from avatarlab_ops.reading.language import Rule

_JOBS = {
    "de": {"m": "männlich", "w": "weiblich", "f": "weiblich", "d": "divers", "i": "inter", "x": "divers"},
    "es": {"h": "hombre", "m": "mujer"},
    "fr": {"h": "homme", "f": "femme"},
    "it": {"m": "maschio", "f": "femmina"},
    "pt": {"m": "masculino", "f": "feminino"},
}
# Words of one kind on both sides of a stroke, and the endings that may follow one.
_PAIRS = {
    "de": "der die das den dem des ein eine einen einem einer er sie ihm ihr ihn sein ihre seine jeder jede welcher welche",
    "es": "el la los las un una unos unas del al lo él ella ellos ellas este esta estos estas todos todas",
    "fr": "le la un une du il elle ils elles ceux celles celui celle tous toutes nouveau nouvelle beau belle",
    "it": "il lo la i gli le un una del della dei delle al alla ai alle nel nella lui lei",
    "pt": "o a os as um uma do da dos das ele ela eles elas ao à no na pelo pela seu sua meu minha",
}  # fmt: skip
_ENDINGS = {
    "es": "s|a|as|o|os|ora|oras|esa|esas|triz",
    "fr": "s|e|es|ère|ères|rice|rices|trice|trices|euse|euses|se|ses|ne|nes|le|les|te|tes|ve|ves|sse|sses",
    "it": "a|e|o|i|he|che|ghe|ice|ici|trice|trici|essa|esse|ssa|sse",
    "pt": "s|a|as|o|os|ora|oras|esa|esas|ã|ãs",
}
_ITALIAN_MANY = frozenset("le gli i dei delle alle ai loro e he che ghe ici trici esse sse".split())  # noqa: SIM905
# German words that take another ending behind a sign: jede/r, ein*e, Liebe:r, Studierende/n.
_DETERMINERS = re.compile(
    "ein kein mein dein sein ihr unser euer eine keine meine deine seine ihre unsere eure jede jeder jedes diese dieser "
    "welche welcher manche mancher solche andere anderer beide alle einige eine einer keiner liebe lieber neue neuer "
    "erste erster geehrte geehrter werte gute guter".replace(" ", "|"),
    re.I,
)
_NAMED_BY_AN_ADJECTIVE = re.compile(
    r"[A-ZÄÖÜ][a-zäöüß]*(?:ende|estellte|eamte|wandte|eutsche|ugendliche|wachsene|hörige|wissenschaftliche|"
    r"ordnete|auftragte|teiligte|troffene|fahrene|sicherte|elehrte|ekannte|esunde|ranke)"
)
_PERSON = re.compile(  # with -in: Lehrer, Kund; but Feld_in, Log/in, Motto:in
    r"(?!(?:Filter|Ordner|Server|Computer|Wasser|Finger|Nummer|Meter|Fenster|Wetter|Parameter|Container|Header|Footer|"
    r"Folder|Counter|Timer|Trigger|Layer|Buffer|Zähler|Papier|Dokument|Event|Moment|Element|Content|Segment|Client|List|"
    r"Tor|Motor|Monitor|Sensor|Editor|Hund|Grund|Mund|Messer|Keller|Zimmer|Sommer|Winter|Feuer|Feier)$)"
    r"[A-ZÄÖÜ][a-zäöüß]*(?:er|or|eur|ör|ent|ant|rand|und|ist|idat|krat|omat|ldat|oet|hlet|phet|olleg|rateg|olog|agog|"
    r"rzt|wirt|xpert|ilot|wält|walt|hef|och|öch|ast|äst|rinz|enoss|eug|eamt|soph|yst|är|itekt|zös)"
)
_JOINTS = {"es": ("o", "y"), "fr": ("ou", "et"), "it": ("o", "e"), "pt": ("ou", "e")}  # of one, of many
_AFTER = {  # letters after which a French ending stands; others after any
    "le": "l", "ne": "n", "te": "tu", "se": "rx", "ve": "f", "sse": "e", "e": "bcdfgilnprstuzé",
}  # fmt: skip
_AT_ONE = re.compile(  # with a sign and no s: Tod@ alumn@; others may be the beginning of an address
    "tod alumn amig querid compañer niñ chic bienvenid estimad hij herman maestr emplead usuari candidat ciudadan "
    "interesad invitad abuel ti tí vecin soci novi emplead un algun ningun mism segur alun menin "
    "prezad filh funcionári vind car querid outr tutt ragazz bambin iscritt interessat".replace(" ", "|"),
    re.I,
)
_AT = {"es": ("o", "a"), "pt": ("o", "a"), "it": ("i", "e")}


def german() -> tuple[Rule, ...]:
    """Mitarbeiter*innen, Jede:r, Schüler/-innen: a breath; der/die: oder; (m/w/d) in words."""
    ending = r"(?<=[a-zäöüß]{2})([*_:/·])(-?)(?=(in(?:nen)?|[rne])(?![\w*]))"
    return (_jobs("de"), *_pairs("de", "[*_:/]"), Rule("genders", re.compile(ending), _german))


def _german(match: re.Match[str]) -> str | None:
    """No sign where a person is meant; a path, a field and a word before a colon keep theirs."""
    sign, hyphen, ending = match.groups()
    before = re.search(
        r"([\w./\\@]?)(?<![^\W\d_])([^\W\d_]+)$", match.string[max(0, match.start() - 60) : match.start()]
    )
    if sign in "*·":
        return ""
    if not before or before[1]:
        return None
    base = before[2]
    if ending in ("r", "n", "e"):
        joined = _DETERMINERS.fullmatch(base) or (
            sign != "_" and ending != "e" and _NAMED_BY_AN_ADJECTIVE.fullmatch(base)
        )
    elif ending == "in" and not hyphen:
        joined = _PERSON.fullmatch(base)
    else:
        joined = base[0].isupper()
    return "" if joined else None


def romance(code: str) -> tuple[Rule, ...]:
    """Of es, fr, it or pt: alumnos/as, tod@s, étudiant·e·s, il/la."""
    letters = r"(?<![\w@./'’-])([^\W\d_]+)"
    endings = "|".join(sorted(_ENDINGS[code].split("|"), key=len, reverse=True))
    found = [_jobs(code), *_pairs(code, "/")]
    if code == "fr":
        letters = r"(?<![\w@./-])([^\W\d_]{2,})"
        dotted = rf"(?:[·•.]({endings})(?:[·•.](s))?|-(e|ère|rice|trice|euse)(?:-(s))?)"
        found.append(Rule("genders", re.compile(rf"{letters}{dotted}(?![\w@-])"), _french))
    stroke = rf"{letters}/-?({endings})(?![\w/@-])"
    found.append(Rule("genders", re.compile(stroke, re.I), lambda m: _stroked(code, m)))
    if code in _AT:
        at = r"(?<![\w@.])([^\W\d_]+)@(s?)(?![\w@]|[.-]\w)"
        found.append(Rule("genders", re.compile(at), lambda m: _at(code, m)))
    return tuple(found)


def _jobs(code: str) -> Rule:
    """(m/w/d) behind what a job is called."""
    known = _JOBS[code]
    pattern = rf"(?<=\()([{''.join(known)}])((?:/[{''.join(known)}]){{1,2}})(?=\))|(?<![\w/])([mw])(/[mw]/[dix])(?![\w/])"

    def say(match: re.Match[str]) -> str | None:
        letters = (match[0]).lower().split("/")
        words = [known.get(letter, "") for letter in letters]
        return ", ".join(words) if all(words) and len(set(words)) == len(words) else None

    return Rule("genders", re.compile(pattern, re.I), say)


def _pairs(code: str, sign: str) -> tuple[Rule, ...]:
    """El/la and der*die."""
    words = "|".join(_PAIRS[code].split())

    def say(match: re.Match[str]) -> str | None:
        first, sign, last = match.groups()
        if first.lower() == last.lower():
            return None
        if code == "de":
            return f"{first} oder {last}" if sign == "/" else f"{first} {last}"
        return f"{first} {_JOINTS[code][_many(code, first, last)]} {last}"

    return (Rule("genders", re.compile(rf"(?<![\w/])({words})({sign})({words})(?![\w/'’*-])", re.I), say),)


def _many(code: str, first: str, last: str) -> bool:
    """Whether the forms are plural."""
    if code == "it":
        return last.lower() in _ITALIAN_MANY
    return first.lower().endswith("s") and (code != "fr" or last.lower().endswith("s"))


def _stroked(code: str, match: re.Match[str]) -> str | None:
    """Alumno/s; but 50 Mb/s."""
    measured = re.search(r"\d\s?$", match.string[: match.start()]) or not re.search("[aeiouáéíóú]", match[1])
    if match[2] == "s" and (measured or not match[1].islower()):
        return None
    if code in ("es", "pt") and (
        not re.search("[aeiouáéíóúãõ]", match[1], re.I)
        or re.search("[iu]$|[^aeoãõ]s$" if match[2].lower().endswith("s") else "[iu]$", match[1], re.I)
    ):
        return None  # src/a, wifi/a, docs/as
    return _both(code, match[1], match[2])


def _french(match: re.Match[str]) -> str | None:
    base, many = match[1], match[3] or match[5]
    ending = (match[2] or match[4]) + (many or "")
    if many and not base.endswith(("s", "x")):
        base += "s"
    return _both("fr", base, ending)


def _both(code: str, base: str, ending: str) -> str | None:
    """Both words with and between those of many, or between those of one: alumnos y alumnas."""
    other = _other(code, base, ending)
    return other and f"{base} {_JOINTS[code][_many(code, base, ending)]} {other}"


def _other(code: str, base: str, ending: str) -> str | None:
    """The second word, which has another ending: alumnos and as, infirmier and ère, lavoratore and trice."""
    if ending.isupper() != base.isupper() and len(base) > 1:
        return None
    small, end = base.lower(), ending.lower()
    if code == "fr" and end in ("e", "es"):  # cher, chère
        end = re.sub("^e", "ère", end) if re.search("ers?$", small) else end
    cut = _french_stem(small, end) if code == "fr" else _stem(code, small, end)
    if len(base) < 2 or not cut or cut + end == small:
        return None
    stem = base[: len(cut)]
    accented = code in ("es", "pt") and len(cut) == len(base)
    other = (_plain(stem) if accented else stem) + end
    return other.upper() if base.isupper() else other.lower()


def _stem(code: str, base: str, end: str) -> str:
    """What of a Spanish, Italian or Portuguese word stays before the other ending."""
    if end == "s" or end.startswith("ss"):
        return base
    if code == "pt" and re.search("ão$|ãos$|ães$|ões$", base):  # irmão, irmã
        return re.sub("(?:ão|ãos|ães|ões)$", "", base) if end[0] == "ã" else ""
    if len(end) > 2 and end[0] in base[-5:] and end not in ("essa", "esse"):
        return base[: base.rindex(end[0])]
    if code == "it":
        return (
            re.sub("[aeio]$", "", base)
            if end[0] in "aeioh"
            else base[: base.rindex("c")]
            if "c" in base[-3:]
            else base[:-1]
        )
    if end.endswith("s") and base.endswith("s"):
        return re.sub("[aoe]?s$", "", base)
    return re.sub("[aoe]$", "", base)


def _french_stem(base: str, end: str) -> str:
    if end == "s":
        return "" if base.endswith("s") else base
    one, of_one = (base.removesuffix("s"), end.removesuffix("s")) if end.endswith("s") else (base, end)
    if one[-1:] not in _AFTER.get(of_one, one[-1:]):
        return ""
    lengths = {"ère": 2, "rice": 3, "euse": 3, "trice": 4, "se": 1, "ve": 1, "sse": 0}
    return one[: len(one) - lengths.get(of_one, 0)]


def _plain(word: str) -> str:
    """Without the accent of its last syllable, which the next one takes: alemán, alemana."""
    letters = unicodedata.normalize("NFD", word[-2:])
    return word[:-2] + letters.replace("\u0301", "").replace("\u0302", "")


def _at(code: str, match: re.Match[str]) -> str | None:
    """Tod@s: todos y todas; but an address, @ana, has no letters before it, and ventas@ or 5 kg@ no gender."""
    base, many = match.groups()
    measured = match.string[: match.start()].rstrip()[-1:].isdigit()
    if base[-1] in "aous" or measured or (not many and not _AT_ONE.fullmatch(base)):
        return None
    first, last = (f"{base}{ending}{many}" for ending in _AT[code])
    return f"{first} {_JOINTS[code][bool(many) or code == 'it']} {last.lower()}"
