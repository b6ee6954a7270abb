"""Italian."""

# ruff: noqa: E501, RUF001  (tables)

from __future__ import annotations

import re

from avatarlab_ops.reading import both_genders, hectares, romance, tables
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal

_MONTHS = tables.names(
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"
)
_FEMININE = re.compile(r"(ora|ore|tonnellat[ae]|calori[ae]|chilocalori[ae]|sterlin[ae]|rupi[ae]|coron[ae])\b")


def _agree(number: str, noun: str) -> str:
    if number.endswith(("milione", "milioni", "miliardo", "miliardi")):
        return f"{number} di"
    if number == "uno":
        if noun.startswith(("ora", "oncia")):
            return "un'"
        return "una" if _FEMININE.match(noun) else "uno" if re.match("yen|per ", noun) else "un"
    return number


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{'primo' if day == 1 else cardinal('it', day)} {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {cardinal('it', when)}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = "una" if hour == 1 else cardinal("it", hour)
    said += f" e {cardinal('it', minute)}" if minute else ""
    if second:
        return f"{said} e {_agree(cardinal('it', second), 'secondi')} second{'o' if second == 1 else 'i'}"
    return said


def _counted(number: str, feminine: bool, noun: str) -> str:
    """una casa, un giorno, uno studente; no other number follows its noun."""
    if number != "uno":
        return number
    if feminine:
        return "una"
    return "uno" if re.match(r"s[^aeiou]|z|gn|ps|y", noun) else "un"


_SHORT_MONTHS = romance.names("gen feb mar apr mag giu lug ago set/sett ott nov dic", _MONTHS)
_WEEKDAYS = romance.names(
    "lun mar mer gio ven sab dom", tables.names("lunedì martedì mercoledì giovedì venerdì sabato domenica")
)
_FRACTIONS = tables.fractions(
    "mezzo, un terzo, due terzi, un quarto, tre quarti, un quinto, due quinti, tre quinti, quattro "
    "quinti, un sesto, "
    "un ottavo, tre ottavi, cinque ottavi, sette ottavi"
)
_SHORT = {
    "Sig.": "signor", "sig.": "signor", "Sig.ra": "signora", "sig.ra": "signora", "Dott.": "dottor",
    "dott.": "dottor", "Dott.ssa": "dottoressa", "Prof.": "professor", "Ing.": "ingegner", "Avv.": "avvocato",
    "ecc.": "eccetera", "p. es.": "per esempio", "n.": "numero", "N.": "numero", "n°": "numero",
    "pag.": "pagina", "pp.": "pagine", "cfr.": "confronta", "Geom.": "geometra", "ing.": "ingegner", "avv.": "avvocato", "geom.": "geometra", "arch.": "architetto",
    "prof.": "professor",
    "Arch.": "architetto", "sig.na": "signorina", "Spett.": "spettabile", "Egr.": "egregio", "p.es.": "per esempio",
    "incl.": "incluso", "e/o": "e o", "v.le": "viale", "V.le": "viale", "S.p.A.": "S P A", "S.r.l.": "S R L",
    "tel.": "telefono", "Tel.": "telefono", "ca.": "circa", "Ca.": "circa", "pz.": "pezzi", "cad.": "cadauno", "max.": "massimo",
    "D.Lgs.": "decreto legislativo", "rif.": "riferimento", "tot.": "totale", "a.C.": "avanti Cristo", "d.C.": "dopo Cristo",
}  # fmt: skip
_BEFORE_NUMBER = {
    "pagg.": "pagine", "par.": "paragrafo", "co.": "comma", "all.": "allegato", "cap.": "capitolo", "Cap.": "capitolo", "art.": "articolo", "Art.": "articolo",
    "fig.": "figura", "Fig.": "figura", "vol.": "volume",
}  # fmt: skip
_KINGS = "Luigi|Carlo|Vittorio Emanuele|Umberto|Enrico|Filippo|Pio|Benedetto|Giovanni Paolo|papa Giovanni|Papa Giovanni|Napoleone|Leone"
_PARTS = "capitolo|Capitolo|tomo|volume|atto|fase|tipo|livello|articolo|titolo|parte"
_NUMBERED = "capitolo|pagina|numero|articolo|livello|piano|canale|punto|parte|fase|opzione|passo|tema|gruppo"


_PAID = r"(?:[€$£%]|(?:euro|EUR|dollari|sterline|milioni|miliardi|mila)\b)"


# Whose numbers have points and are no hours: il par. 9.30-9.45; and what tells that they are.
_NUMBERED_BEFORE = re.compile(
    r"(?:\b(?:parr?|sezz?|capp?|artt?|pagg?|vers?|figg?|tab|rif|n)\.|\b(?:sezion|paragraf|capitol|articol|pagin|comm[ai]|"
    r"vot|version|punt|prezz|cost[oi]|valor|misur|temperatur|lunghezz|larghezz|altezz|pes[oi]|medi|figur|tabell|release)\w*)"
    r"(?: (?:è|sono|di|da|va|vanno|il|tra|fra))*:? ?$",
    re.I,
)
_MEASURED_AFTER = re.compile(
    r" (?:gradi|metri|centimetri|chil|litri|grammi|punti|volt|watt|anni|°|secondi|su \d)", re.I
)
_TIME_TOLD = re.compile(
    r"\b(?:or[ae]|orari\w*|dalle|alle|lun|mar|mer|gio|ven|sab|dom|sera|serale|serali|turno)\b|"
    r"\b(?:(?:luned|marted|mercoled|gioved|venerd)ì|(?:sabat|domenic|festiv|ferial|apert|chius|mattin|pomerigg)[a-z]+)",
    re.I,
)
_QUARTERS = frozenset((0, 15, 30, 45))


def _clock(match: re.Match[str]) -> str | None:
    return _say_time(int(match[1]), int(match[2]), None) if int(match[1]) <= 24 else None


def _clocks(match: re.Match[str]) -> str | None:
    """9.30-13.00: dalle nove e trenta alle tredici."""
    first, last = (int(match[2]), int(match[3])), (int(match[4]), int(match[5]))
    if not first < last or last > (24, 0) or not _timed(match):
        return None
    begin, end = (_say_time(*one, None) for one in (first, last))
    since = "dall'" if first[0] == 1 else "dalle "
    until = "all'" if last[0] == 1 else "alle "
    told = match[1].strip().lower() if match[1] else ""
    if match.string[: match.start()].lower().endswith("alle "):  # dalle ore 9.00-13.00
        since = ""
    before = {"": since, "ore": f"{match[1]}{since}"}.get(told, match[1])
    return f"{before}{begin} {until}{end}"


def _timed(match: re.Match[str]) -> bool:
    """Whether two numbers with points are hours: what is around tells, or they are quarters of an hour."""
    before = match.string[max(0, match.start() - 80) : match.start()]
    after = match.string[match.end() : match.end() + 80]
    if (match[1] is None and _NUMBERED_BEFORE.search(before)) or _MEASURED_AFTER.match(after):
        return False
    quarters = {int(match[3]), int(match[5])} <= _QUARTERS
    return bool(match[1] or not before.strip() or _TIME_TOLD.search(f"{before}; {after}")) or quarters


def _ordered(value: int) -> str:
    return ordinal("it", value)


_OWN = (
    *both_genders.romance("it"),
    romance.short(_SHORT),
    romance.numero("numero"),
    romance.shortened(_BEFORE_NUMBER, romance.numbering("[ie]")),
    *romance.dated((_MONTHS, _SHORT_MONTHS), _WEEKDAYS, "a", _say_date),
    romance.parts({"cap": "capitolo", "vol": "volume", "tit": "titolo"}, lambda n: cardinal("it", n)),
    romance.roman_before("Guerra", lambda value: romance.formed(_ordered(value), "a")),
    romance.ordinals("it", r"([ºª]|°(?= [a-zà]))", romance.formed),
    *romance.telephones(
        lambda: ITALIAN,
        r"3\d{2} \d{3} \d{4}",
        r"3\d{2} \d{7}",
        r"0\d{1,3} \d{6,8}",
        r"0\d{1,3} \d{3,4} \d{3,4}",
        rf"[89]\d\d \d{{3}} \d{{3}}{romance.NOT_COUNTED}",
    ),
    Rule(
        "time",
        re.compile(
            r"((?<!\w)(?:[Oo]re|[Aa]lle|[Dd]alle) )?(?<![\w.,€$£])(?<![€$£] )(\d{1,2})\.([0-5]\d) ?[-–] ?(\d{1,2})\.([0-5]\d)"
            rf"(?![\w%]|[.,]\d)(?! ?{_PAID}| (?:[ckm]?m|k?g|[mc]?l)\b)"
        ),
        _clocks,
    ),
    Rule(
        "time",
        re.compile(
            r"(?:(?<=\b[Oo]re )|(?<=\b[Aa]lle )|(?<=\b[Dd]alle ))(\d{1,2})\.([0-5]\d)(?!\d|[.,]\d)"
            rf"(?! ?{_PAID}| alle \d+(?:[.,]\d+)? ?{_PAID})"
        ),
        _clock,
    ),
    romance.month_year(_MONTHS, "it", ""),
    romance.half("it", "mezzo"),
    romance.fractions(_FRACTIONS),
    romance.counted("it", _counted, _NUMBERED),
    romance.roman(_KINGS, _ordered),
    romance.roman("secolo|Secolo", _ordered),
    romance.roman(_PARTS, lambda value: cardinal("it", value)),
    romance.roman_before("secolo", _ordered),
    romance.roman_before(r"sec\.", _ordered),
    Rule(
        "century",
        re.compile(r"(?<=[IVX] )sec\.(?=$|[\s,;)])"),
        lambda m: "secolo" + "." * (m.end() == len(m.string)),
    ),
    Rule("abbreviation", re.compile(r"(?<![\w.])max(?= \d)"), lambda _: "massimo"),
    Rule("comma", re.compile(r"(?<=\d, )c\.(?= ?\d)"), lambda _: "comma"),
    Rule(
        "short year",
        re.compile(r"(?<![\w'’])['’](\d0|[1-9]00)(?![\w'’])"),
        lambda m: cardinal("it", int(m[1])),
    ),
    Rule(
        "weekday",
        re.compile(r"(?<!\w)(sab|dom|lun|gio|ven)(?= \d{1,2}(?:[:.]\d\d)? ?[-–] ?\d{1,2}(?![\d/]))"),
        lambda m: _WEEKDAYS[m[1]],
    ),
)

ITALIAN: Language = Language(
    code="it", decimal=",", point="virgola", minus="meno", plus="più", to="a", by="per", power="alla",
    and_="e", of="di", digitwise=False, day_first=True, version="versione", agree=_agree,
    signs=tables.signs(
        "per cento, per mille, e, più, uguale, chiocciola, cancelletto, barra, barra inversa, asterisco, "
        "trattino basso, circa, accento circonflesso, barra verticale, minore di, maggiore di, "
        "minore o uguale a, maggiore o uguale a, diverso da, circa, più o meno, per, diviso, radice "
        "quadrata di, "
        "infinito, gradi, paragrafo, paragrafo, copyright, marchio registrato, marchio, euro, "
        "sterline, dollari, "
        "yen, al quadrato, al cubo, a, numero, micro, a, o"
    ) | tables.keys("diesis", "bemolle"),
    web=tables.web(
        "punto, chiocciola, barra, trattino, trattino basso, due punti, punto interrogativo, uguale, e, "
        "cancelletto, più, per cento, tilde, virgola, punto e virgola"
    ),
    units=tables.measures(
        "metro|metri, grammo|grammi, litro|litri, secondo|secondi, minuto|minuti, ora|ore, "
        "watt|watt, volt|volt, "
        "ampere|ampere, hertz|hertz, byte|byte, bit|bit, pixel|pixel, pascal|pascal, joule|joule, "
        "caloria|calorie, bar|bar, tonnellata|tonnellate, ettaro|ettari, decibel|decibel, grado|gradi, "
        "giorno|giorni",
        "chilo mega giga tera peta etto deci centi milli micro nano",
        "{} quadrato|{} quadrati, {} cubo|{} cubi, "
        "{} Celsius, {} Fahrenheit, {} ora, {} al secondo, {} all'ora, per cento, "
        "per mille, parti per milione",
        "CV=cavallo|cavalli, giri/min=giro al minuto|giri al minuto, mmHg=millimetro di mercurio|millimetri di mercurio, bpm=battito al minuto|battiti al minuto",
    ),
    per="al",
    money=tables.money({
        "€ EUR": "euro|euro|centesimo|centesimi", "$": "dollaro|dollari|centesimo|centesimi",
        "US$ USD": "dollaro americano|dollari americani|centesimo|centesimi",
        "£ GBP": "sterlina|sterline|penny|pence", "¥ JPY": "yen|yen||",
        "CHF": "franco svizzero|franchi svizzeri|centesimo|centesimi", "₹": "rupia|rupie|paisa|paise",
        "₿": "bitcoin|bitcoin||",
    }),
    scales={
        "mila": "mila", "milione": "milione", "milioni": "milioni", "miliardi": "miliardi", "Mln": "milioni",
        "mln": "milioni", "M": "milioni", "mld": "miliardi", "Mld": "miliardi", "k": "mila", "K": "mila",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "alfa beta gamma delta epsilon zeta eta theta iota kappa lambda mi ni xi omicron pi ro sigma "
        "tau ipsilon "
        "fi chi psi omega"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, unlike=hectares.italian, each="ogni", out_of="su", over="su", times="volte",
    half=lambda n: f"{cardinal('it', n)} e mezzo",
)  # fmt: skip
