"""Brazilian Portuguese."""

from __future__ import annotations

import re

from avatarlab_ops.reading import both_genders, numbers, romance, tables
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal

_CODE = "pt_BR"
_MONTHS = tables.names(
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"
)
_FEMININE = re.compile(r"(hora|tonelada|caloria|quilocaloria|libra|rúpia|coroa|página|vezes)s?\b")


def _agree(number: str, noun: str) -> str:
    if number.endswith(("milhão", "milhões", "bilhão", "bilhões")):
        return f"{number} de"
    if _FEMININE.match(noun) and " vírgula " not in number:
        return re.sub(r"\bdois$", "duas", re.sub(r"\bum$", "uma", number)).replace("entos", "entas")
    return number


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{'primeiro' if day == 1 else cardinal(_CODE, day)} de {_MONTHS[month - 1]}"
    return said if when is None else f"{said} de {cardinal(_CODE, when)}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = f"{_agree(cardinal(_CODE, hour), 'horas')} hora{'s' * (hour > 1)}"
    said += f" e {cardinal(_CODE, minute)}" if minute else ""
    return f"{said} e {cardinal(_CODE, second)} segundo{'s' * (second > 1)}" if second else said


def _clock(match: re.Match[str]) -> str | None:
    hour, minute = int(match[1]), int(match[2])
    return _say_time(hour, minute, None) if hour <= 24 and minute < 60 else None


def _counted(number: str, feminine: bool, _: str) -> str:
    """uma casa, duas noites, duzentas páginas."""
    return _agree(number, "horas" if feminine else "dias")


_SHORT_MONTHS = romance.names("jan fev mar abr mai jun jul ago set out nov dez", _MONTHS)
_WEEKDAYS = romance.names(
    "seg ter qua qui sex sáb dom", tables.names("segunda terça quarta quinta sexta sábado domingo")
)
_FRACTIONS = tables.fractions(
    "meio, um terço, dois terços, um quarto, três quartos, um quinto, dois quintos, três quintos, "
    "quatro quintos, um sexto, um oitavo, três oitavos, cinco oitavos, sete oitavos"
)
_SHORT = {
    "Sr.": "senhor", "Sra.": "senhora", "Srta.": "senhorita", "Srs.": "senhores", "Dr.": "doutor",
    "Dra.": "doutora",
    "Prof.": "professor", "Profa.": "professora", "p. ex.": "por exemplo", "etc.": "et cetera",
    "nº": "número", "Nº": "número", "n.º": "número", "pág.": "página", "pp.": "páginas",
    "ext.": "extensão", "apto.": "apartamento",
    "Eng.": "engenheiro", "Profª": "professora", "Profª.": "professora",
    "Ilmo.": "ilustríssimo", "Exmo.": "excelentíssimo",
    "págs.": "páginas", "tel.": "telefone",
    "Ltda.": "limitada", "e/ou": "e ou",
    "Tel.": "telefone", "av.": "avenida", "Av.": "avenida", "aprox.": "aproximadamente",
    "a.C.": "antes de Cristo",
    "d.C.": "depois de Cristo", "vs.": "contra", "máx.": "máximo", "mín.": "mínimo", "un.": "unidades",
    "séc.": "século", "séc": "século", "qtd.": "quantidade", "ref.": "referência",
    "Aprox.": "aproximadamente",
}  # fmt: skip
_BEFORE_NUMBER = {
    "cap.": "capítulo", "Cap.": "capítulo", "art.": "artigo", "Art.": "artigo", "fig.": "figura",
    "Fig.": "figura", "vol.": "volume", "inc.": "inciso",
}  # fmt: skip
_KINGS = "Pedro|João|Dom João|Luís|Carlos|Henrique|Filipe|Pio|Bento|João Paulo|Afonso"
_PARTS = "século|Século|capítulo|Capítulo|tomo|volume|parte|ato|fase|tipo|nível|artigo|título"
_NUMBERED = "capítulo|página|número|artigo|nível|andar|canal|ponto|parte|fase|opção|passo|tema|grupo"


def _king(value: int) -> str:
    return ordinal(_CODE, value) if value <= 10 else cardinal(_CODE, value)


def _queen(value: int) -> str:
    return romance.formed(_king(value), "a") if value <= 10 else _king(value)


def _century(match: re.Match[str]) -> str | None:
    value = numbers.roman(match[0])
    return (
        cardinal(_CODE, value)
        if value and re.search(r"[Ss]éculos? ", match.string[: match.start()])
        else None
    )


_WON = re.compile(r"\b(?:resultado|placar|venceu|ganhou|perdeu|empatou|jogo|final)\b", re.I)


def _score(match: re.Match[str]) -> str | None:
    """Resultado: 3 x 1."""
    return "a" if _WON.search(match.string) and "=" not in match.string else None


_OWN = (
    *both_genders.romance("pt"),
    romance.short(_SHORT),
    romance.numero("número"),
    Rule("time", re.compile(r"(?<![\w:.,])(\d{1,2}) ?h ?(\d{2})(?:min)?(?!\w)"), _clock),
    Rule("time", re.compile(r"(?<![\w:.,])(\d{1,2}):([0-5]\d) ?h(?:rs|s)?(?!\w)"), _clock),
    romance.shortened(_BEFORE_NUMBER, romance.numbering("s")),
    *romance.dated((_MONTHS, _SHORT_MONTHS), _WEEKDAYS, "a", _say_date),
    Rule("score", re.compile(r"(?<=\d) ?x ?(?=\d{1,2}(?!\d|[.,]\d| ?[ckm]?m\b))"), _score),
    romance.parts(
        {"cap": "capítulo", "vol": "volume", "inc": "inciso", "art": "artigo"}, lambda n: cardinal(_CODE, n)
    ),
    romance.roman("Elizabeth|Isabel|Maria", _queen),
    romance.roman_before("Guerra", _queen),
    Rule("roman", re.compile(r"(?:(?<=[Ss]éculos )|(?<=[IVX] e ))[IVXLC]+(?![\w-])"), _century),
    romance.roman("séc.", lambda value: cardinal(_CODE, value)),
    Rule(
        "title",
        re.compile(
            r"(?<![\w.])(?<!opção )(?<!item )(?<!Item )(?<!letra )(?<!alternativa )(?<!vitamina )D\. "
            r"(?=(?:(?:Pedro|João|Afonso|Manuel|Dinis|Henrique)|(Maria|Leopoldina|Teresa))\b)"
        ),
        lambda m: "Dona" if m[1] else "Dom",
    ),
    romance.ordinals(_CODE, r"\.?([ºª]|°(?= [a-zà]))", romance.formed),
    *romance.telephones(
        lambda: PORTUGUESE,
        r"\(\d{2}\) ?9?\d{4}-\d{4}",
        r"9\d{4}-\d{4}",
        r"0800 \d{3} \d{4}",
        r"(?:(?<=CEP )|(?<=CEP: ))\d{5}-\d{3}",
        r"\d{3}\.\d{3}\.\d{3}-\d{2}",
        r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}",
    ),
    Rule(
        "standard",
        re.compile(r"(?:(?<=NBR )|(?<=ISO )|(?<=IEC ))(\d{2,5}):(\d{4})(?![\d:])"),
        lambda m: f"{cardinal(_CODE, int(m[1]))} de {cardinal(_CODE, int(m[2]))}",
    ),
    romance.month_year(_MONTHS, _CODE, "de "),
    romance.half("pt", "meio"),
    romance.fractions(_FRACTIONS),
    romance.counted(_CODE, _counted, _NUMBERED),
    romance.thousands(_CODE, _counted),
    romance.roman(_KINGS, _king),
    romance.roman(_PARTS, lambda value: cardinal(_CODE, value)),
)

PORTUGUESE: Language = Language(
    code=_CODE, decimal=",", point="vírgula", minus="menos", plus="mais", to="a", by="por", power="elevado a",
    and_="e", of="de", digitwise=False, day_first=True, version="versão", agree=_agree,
    signs=tables.signs(
        "por cento, por mil, e, mais, igual a, arroba, cerquilha, barra, barra invertida, asterisco, "
        "sublinhado, "
        "cerca de, circunflexo, barra vertical, menor que, maior que, menor ou igual a, maior ou igual a, "
        "diferente de, cerca de, mais ou menos, vezes, dividido por, raiz quadrada de, infinito, "
        "graus, parágrafo, "
        "parágrafo, copyright, marca registrada, marca, euros, libras, dólares, ienes, ao quadrado, "
        "ao cubo, para, "
        "número, micro, a, o"
    ) | tables.keys("sustenido", "bemol"),
    web=tables.web(
        "ponto, arroba, barra, hífen, sublinhado, dois pontos, interrogação, igual, e, cerquilha, mais, "
        "por cento, til, vírgula, ponto e vírgula"
    ),
    units=tables.measures(
        "metro|metros, grama|gramas, litro|litros, segundo|segundos, minuto|minutos, hora|horas, watt|watts, "
        "volt|volts, ampere|amperes, hertz|hertz, byte|bytes, bit|bits, pixel|pixels, pascal|pascals, "
        "joule|joules, caloria|calorias, bar|bares, tonelada|toneladas, hectare|hectares, decibel|decibéis, "
        "grau|graus, dia|dias",
        "quilo mega giga tera peta hecto deci centi mili micro nano",
        "{} quadrado|{} quadrados, {} cúbico|{} cúbicos, "
        "{} Celsius, {} Fahrenheit, {} hora, {} por segundo, {} por hora, "
        "por cento, "
        "por mil, partes por milhão",
        "CV=cavalo|cavalos, cv=cavalo|cavalos, rpm=rotação por minuto|rotações por minuto, "
        "mmHg=milímetro de mercúrio|milímetros de mercúrio, bpm=batimento por minuto|batimentos por minuto",
        accents="quilômetro decímetro centímetro milímetro micrômetro nanômetro",
    ),
    per="por",
    money=tables.money({
        "R$ BRL": "real|reais|centavo|centavos", "€ EUR": "euro|euros|centavo|centavos",
        "$ US$ USD": "dólar|dólares|centavo|centavos", "£ GBP": "libra|libras|pêni|pence",
        "¥ JPY": "iene|ienes||", "CHF": "franco suíço|francos suíços|centavo|centavos",
        "₹": "rúpia|rúpias|paisa|paisas", "₿": "bitcoin|bitcoins||",
    }),
    scales={
        "mil": "mil", "milhão": "milhão", "milhões": "milhões", "bilhão": "bilhão", "bilhões": "bilhões",
        "mi": "milhões", "bi": "bilhões", "M": "milhões", "k": "mil", "K": "mil",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "alfa beta gama delta épsilon zeta eta teta iota capa lambda mi ni xi ômicron pi rô sigma "
        "tau ípsilon fi "
        "qui psi ômega"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, each="a cada", out_of="de", over="por", times="vezes",
    half=lambda n: f"{cardinal(_CODE, n)} e meio",
)  # fmt: skip
