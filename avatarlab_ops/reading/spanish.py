"""Spanish."""

# ruff: noqa: E501  (tables)

from __future__ import annotations

import re

from avatarlab_ops.reading import both_genders, hectares, numbers, romance, tables
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal

_MONTHS = tables.names(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
)
_FEMININE = re.compile(
    r"(hora|tonelada|caloría|kilocaloría|libra|rupia|corona|lira|onza|milla|pulgada|página|vece|unidad|unidade)s?\b"
)


def _agree(number: str, noun: str) -> str:
    if number.endswith(("millón", "millones")):
        return f"{number} de"
    if " coma " in number:
        return number
    if _FEMININE.match(noun):
        return re.sub(r"uno$", "una", re.sub(r"(ci|ni)entos\b", r"\1entas", number))
    return re.sub(r"uno$", "un", re.sub(r"veintiuno$", "veintiún", number))


def _counted(number: str, feminine: bool, _: str) -> str:
    """una casa, veintiún días, doscientas páginas."""
    return _agree(number, "horas" if feminine else "días")


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{cardinal('es', day)} de {_MONTHS[month - 1]}"
    return said if when is None else f"{said} de {cardinal('es', when)}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = _agree(cardinal("es", hour), "horas") + (f" y {cardinal('es', minute)}" if minute else "")
    if second:
        return f"{said} y {_agree(cardinal('es', second), 'segundos')} segundo{'' if second == 1 else 's'}"
    return said


_FRACTIONS = tables.fractions(
    "medio, un tercio, dos tercios, un cuarto, tres cuartos, un quinto, dos quintos, tres quintos, "
    "cuatro quintos, "
    "un sexto, un octavo, tres octavos, cinco octavos, siete octavos"
)
_SHORT = {
    "Sr.": "señor", "Sra.": "señora", "Srta.": "señorita", "Sres.": "señores", "Dr.": "doctor",
    "Dra.": "doctora",
    "Prof.": "profesor", "Ud.": "usted", "Uds.": "ustedes", "p. ej.": "por ejemplo", "p.ej.": "por ejemplo",
    "etc.": "etcétera", "EE. UU.": "Estados Unidos", "EE.UU.": "Estados Unidos", "núm.": "número",
    "Núm.": "número", "n.º": "número", "N.º": "número", "nº": "número", "Nº": "número", "pág.": "página", "pp.": "páginas", "pto.": "punto", "párr.": "párrafo", "dpto.": "departamento",
    "Sta.": "santa", "Sto.": "santo", "tfno.": "teléfono", "ref.": "referencia",
    "págs.": "páginas", "aprox.": "aproximadamente", "tel.": "teléfono", "Tel.": "teléfono",
    "avda.": "avenida", "incl.": "incluido", "hab.": "habitantes", "y/o": "y o",
    "Dña.": "doña", "RR. HH.": "recursos humanos", "RRHH": "recursos humanos", "JJ. OO.": "Juegos Olímpicos",
    "JJOO": "Juegos Olímpicos", "CC. AA.": "comunidades autónomas", "cdta.": "cucharadita", "cda.": "cucharada",
    "Avda.": "avenida", "a. C.": "antes de Cristo", "d. C.": "después de Cristo", "vs.": "contra", "c/u": "cada uno", "máx.": "máximo", "mín.": "mínimo",
    "ext.": "extensión", "izq.": "izquierda", "dcha.": "derecha", "M.ª": "María", "Mª": "María", "gral.": "general",
    "admón.": "administración", "Aprox.": "aproximadamente", "Ej.": "ejemplo", "pers.": "personas", "Máx.": "máximo", "Pág.": "página", "págs": "páginas",
}  # fmt: skip
_KINGS = "Juan|Felipe|Alfonso|Carlos|Luis|Fernando|Enrique|Pío|Benedicto|Juan Pablo|Juan Carlos|Pedro|Sancho"
_PARTS = "siglo|Siglo|capítulo|Capítulo|tomo|volumen|parte|acto|guerra|fase|tipo|nivel|artículo|título"


_NUMBERED = "capítulo|página|número|artículo|nivel|piso|canal|punto|parte|fase|opción|paso|tema|grupo"


_BEFORE_NUMBER = {
    "art.": "artículo", "Art.": "artículo", "cap.": "capítulo", "Cap.": "capítulo", "fig.": "figura",
    "Fig.": "figura", "vol.": "volumen", "apdo.": "apartado",
}  # fmt: skip
_SHORT_MONTHS = romance.names("ene feb mar abr may jun jul ago sep/sept oct nov dic", _MONTHS)
_WEEKDAYS = romance.names(
    "lun mar mié jue vie sáb dom", tables.names("lunes martes miércoles jueves viernes sábado domingo")
)


def _half_day(match: re.Match[str]) -> str | None:
    """3:30 p. m.: las tres y treinta de la tarde."""
    hour, minute = int(match[1]), int(match[2] or 0)
    if not 1 <= hour <= 12 or minute > 59:
        return None
    late = match[3].lower() == "p"
    part = "mañana" if not late else "tarde" if hour == 12 or hour < 8 else "noche"
    stop = "." if match[0].endswith(".") and match.end() == len(match.string) else ""
    return f"{_say_time(hour, minute, None)} de la {part}{stop}"


def _don(match: re.Match[str]) -> str | None:
    """D. Juan; but Donald D. Pérez, la opción D. Ninguna."""
    no_name = r"(?:[A-ZÁÉÍÓÚ][a-záéíóúñ]+|[Oo]pción|[Vv]itamina|[Ll]etra|[Rr]espuesta|[Hh]epatitis|plan|grupo|clase|\b(?:[Ll]a|[Ee]l)) $"
    return None if re.search(no_name, match.string[: match.start()]) else "don"


def _clock(match: re.Match[str]) -> str | None:
    return _say_time(int(match[1]), int(match[2]), None) if int(match[1]) <= 24 else None


def _lasting(match: re.Match[str]) -> str:
    """1h30: una hora treinta."""
    hours = f"{_agree(cardinal('es', int(match[1])), 'horas')} hora{'' if int(match[1]) == 1 else 's'}"
    minutes = int(match[2])
    return f"{hours} {cardinal('es', minutes)}" if minutes else hours


def _king(value: int) -> str:
    return ordinal("es", value) if value <= 10 else cardinal("es", value)


def _queen(value: int) -> str:
    return romance.formed(_king(value), "a") if value <= 10 else _king(value)


def _century(match: re.Match[str]) -> str | None:
    value = numbers.roman(match[0])
    if len(match[0]) == 1 and match.string[: match.start()].endswith("S. "):
        return None  # S. V. Naipaul
    told = re.search(r"\b(?:[Ss]iglos?|[sS]\.) ", match.string[: match.start()])
    return cardinal("es", value) if value and told else None


_OWN = (
    *both_genders.romance("es"),
    romance.short(_SHORT),
    romance.numero("número"),
    romance.ordinals("es", r"\.?([ºª]|er|ero|era|o|a|r[oa]|d[oa]|t[oa]|m[oa]|v[oa]|n[oa])", romance.formed),
    romance.shortened(_BEFORE_NUMBER, romance.numbering("s")),
    *romance.dated((_MONTHS, _SHORT_MONTHS), _WEEKDAYS, "a", _say_date),
    Rule("street", re.compile(r"(?<![\w/])[Cc]/(?= ?[A-ZÁÉÍÓÚ][a-zñáéíóú])"), lambda _: "calle"),
    Rule("each", re.compile(r"(?<![\w/])[Cc]/(?= ?\d)"), lambda _: "cada"),
    Rule("weekday", re.compile(r"(?<!\w)L-V(?!\w)"), lambda _: "lunes a viernes"),
    Rule("title", re.compile(r"(?<![\w.])D\. (?=[A-ZÁÉÍÓÚ][a-záéíóúñ])"), _don),
    Rule(
        "half day",
        re.compile(r"(?<![\w:.,])(\d{1,2})(?:[:.](\d\d))? ?([ap])(?:\. ?m\.|m\b)", re.I),
        _half_day,
    ),
    *romance.telephones(
        lambda: SPANISH,
        r"[6-9]\d{2} \d{2} \d{2} \d{2}",
        r"9\d \d{3} \d{2} \d{2}",
        rf"[89]0[0-2] \d{{3}} \d{{3}}{romance.NOT_COUNTED}",
        r"(?<=[Tt]el\. )\d{3} \d{3} \d{3}",
        r"(?:(?<=al )|(?<=éfono )|(?<=éfono: )|(?<=óvil ))\d{3}(?: \d{3}){2}",
    ),
    Rule("time", re.compile(r"(?<![\w:.,])(\d{1,2})[:.]([0-5]\d) ?(?:h(?:rs|s)?(?!\w)|(?= horas))"), _clock),
    Rule(
        "time",
        re.compile(r"(?<=\blas )(\d{1,2})h([0-5]\d)(?!\w)"),
        lambda m: _say_time(int(m[1]), int(m[2]), None) if int(m[1]) <= 24 else None,
    ),
    Rule("duration", re.compile(r"(?<![\w:.,])(\d{1,2})h([0-5]\d)(?: ?min)?(?!\w)"), _lasting),
    romance.month_year(_MONTHS, "es", "de "),
    romance.half("es", "medio"),
    romance.fractions(_FRACTIONS),
    romance.counted("es", _counted, _NUMBERED),
    romance.thousands("es", _counted),
    romance.parts(
        {"cap": "capítulo", "vol": "volumen", "tít": "título", "art": "artículo"}, lambda n: cardinal("es", n)
    ),
    romance.roman("Isabel", _queen),
    romance.roman_before("Guerra", _queen),
    Rule(
        "roman",
        re.compile(r"(?:(?<=[Ss]iglos )|(?<= [sS]\. )|(?<=^[sS]\. )|(?<=[IVX] y ))[IVXLC]+(?![\w-])"),
        _century,
    ),
    Rule(
        "abbreviation", re.compile(r"(?<![\w.])(?:s\.(?= [IVX]+\b)|S\.(?= [IVX]{2,}\b))"), lambda _: "siglo"
    ),
    Rule("abbreviation", re.compile(r"(?<=[a-záéíóúñ,] )No\.(?= ?\d)"), lambda _: "número"),
    romance.roman(_KINGS, _king),
    romance.roman(_PARTS, lambda value: cardinal("es", value)),
)

SPANISH: Language = Language(
    code="es", decimal=",", point="coma", minus="menos", plus="más", to="a", by="por", power="elevado a",
    and_="y", of="de", digitwise=False, day_first=True, version="versión", agree=_agree,
    signs=tables.signs(
        "por ciento, por mil, y, más, igual a, arroba, almohadilla, barra, barra invertida, "
        "asterisco, guion bajo, "
        "aproximadamente, circunflejo, barra vertical, menor que, mayor que, menor o igual que, "
        "mayor o igual que, "
        "distinto de, aproximadamente, más menos, por, entre, raíz cuadrada de, infinito, grados, "
        "sección, párrafo, "
        "copyright, registrado, marca registrada, euros, libras, dólares, yenes, al cuadrado, al "
        "cubo, a, número, "
        "micro, a, o"
    ) | tables.keys("sostenido", "bemol"),
    web=tables.web(
        "punto, arroba, barra, guion, guion bajo, dos puntos, interrogación, igual, y, almohadilla, "
        "más, por ciento, "
        "tilde, coma, punto y coma"
    ),
    units=tables.measures(
        "metro|metros, gramo|gramos, litro|litros, segundo|segundos, minuto|minutos, hora|horas, "
        "vatio|vatios, "
        "voltio|voltios, amperio|amperios, hercio|hercios, byte|bytes, bit|bits, píxel|píxeles, "
        "pascal|pascales, "
        "julio|julios, caloría|calorías, bar|bares, tonelada|toneladas, hectárea|hectáreas, "
        "decibelio|decibelios, "
        "grado|grados, día|días",
        "kilo mega giga tera peta hecto deci centi mili micro nano",
        "{} cuadrado|{} cuadrados, {} cúbico|{} cúbicos, "
        "{} Celsius, {} Fahrenheit, {} hora, {} por segundo, {} por hora, "
        "por ciento, "
        "por mil, partes por millón",
        "CV=caballo|caballos, rpm=revolución por minuto|revoluciones por minuto, "
        "mmHg=milímetro de mercurio|milímetros de mercurio, lpm=latido por minuto|latidos por minuto, ud.=unidad|unidades, uds.=unidad|unidades",
        accents="kilómetro decímetro centímetro milímetro micrómetro nanómetro",
    ),
    per="por",
    money=tables.money({
        "€ EUR": "euro|euros|céntimo|céntimos", "$": "dólar|dólares|centavo|centavos",
        "US$ USD": "dólar estadounidense|dólares estadounidenses|centavo|centavos",
        "£ GBP": "libra|libras|penique|peniques", "¥ JPY": "yen|yenes||",
        "COP": "peso colombiano|pesos colombianos|centavo|centavos", "S/": "sol|soles|céntimo|céntimos",
        "ARS": "peso argentino|pesos argentinos|centavo|centavos", "CLP": "peso chileno|pesos chilenos||",
        "MXN": "peso mexicano|pesos mexicanos|centavo|centavos",
        "CHF": "franco suizo|francos suizos|céntimo|céntimos", "R$": "real|reales|centavo|centavos",
        "₹": "rupia|rupias|paisa|paisas", "₿": "bitcóin|bitcoines||",
    }),
    scales={
        "mil": "mil", "millón": "millón", "millones": "millones", "mil millones": "mil millones", "mil M": "mil millones",
        "M": "millones",
        "billones": "billones", "k": "mil", "K": "mil",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "alfa beta gamma delta épsilon zeta eta theta iota kappa lambda mu nu xi ómicron pi rho "
        "sigma tau ípsilon fi "
        "ji psi omega"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, unlike=hectares.spanish, each="cada", out_of="sobre", over="sobre", times="veces",
    half=lambda n: f"{cardinal('es', n)} y medio",
)  # fmt: skip
