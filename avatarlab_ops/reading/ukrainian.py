"""Ukrainian."""

# ruff: noqa: E501, RUF001, RUF002, RUF003  (Cyrillic letters; tables)

from __future__ import annotations

import re

from avatarlab_ops.reading import cases, romance, slavic, slavic_dates, slavic_endings, tables
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal

_MONTHS = tables.names(
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня"
)
_NOMINATIVE = {"ий": "ий", "ій": "ій"}
_GENITIVE = {"ий": "ого", "ій": "ього"}
_LOCATIVE = {"ий": "ому", "ій": "ьому"}
_AT = {"ий": "ій", "ій": "ій"}  # of feminine nouns
_YEARS = {"рік": _NOMINATIVE, "року": _GENITIVE, "році": _LOCATIVE}
_GENDERS: dict[str, dict[str, str]] = {
    "й": {},
    "а": {"ий": "а", "ій": "я"},
    "е": {"ий": "е", "ій": "є"},
    "го": _GENITIVE,
    "му": _LOCATIVE,
    "ї": {"ий": "ої", "ій": "ьої"},
    **{ending: {} for ending in tables.names("ий ій гий тий ший мий тій")},
    **{ending: {"ий": "а", "ій": "я"} for ending in tables.names("га ша та ма я тя")},
    **{ending: {"ий": "е", "ій": "є"} for ending in tables.names("ге ше те ме є тє")},
}


# 2-ма is двома; an ordinal ends in -ма only at 7 and 8: сьома, восьма.
_WITH = dict(
    zip(
        (2, 3, 4, 5, 6, 9, 10),
        tables.names("двома трьома чотирма п'ятьма шістьма дев'ятьма десятьма"),
        strict=True,
    )
)


def _ordered(match: re.Match[str]) -> str | None:
    value, ending = int(match[1]), match[2]
    if ending == "й" and re.match(r" [а-яіїєґ']{3,}[ії](?!\w)", match.string[match.end() :]):
        return slavic.genitive(ordinal("uk", value), _AT)  # о 5-й годині
    if ending == "ма" and (value % 10 not in (7, 8) or value % 100 in (17, 18)):
        return _WITH.get(value)
    return slavic.genitive(ordinal("uk", value), _GENDERS[ending])


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{slavic.genitive(ordinal('uk', day), _GENITIVE)} {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {slavic.genitive(ordinal('uk', when), _GENITIVE)} року"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    parts = [(hour, "годин[а;и;]"), (minute, "хвилин[а;и;]"), (second, "секунд[а;и;]")]
    said = []
    for value, what in parts:
        if value or what.startswith("годин"):
            number = slavic.agreed("uk")(cardinal("uk", value or 0), what)
            said.append(f"{number} {slavic.formed(number, what)}")
    return " ".join(said)


def _at(before: str, hour: int, minute: int) -> str:
    """О 18:30: the hour as an ordinal."""
    number = ordinal("uk", hour)
    said = f"{before} {number[:-2]}ій годині"
    return f"{said} {_minutes(minute)}" if minute else said


def _minutes(value: int) -> str:
    number = slavic.agreed("uk")(cardinal("uk", value), "хвилин[а;и;]")
    return f"{number} {slavic.formed(number, 'хвилин[а;и;]')}"


_CENTURIES: tuple[dict[str, str], ...] = (
    {"ий": "е", "ій": "є"}, {"ий": "ого", "ій": "ього"}, {"ий": "ому", "ій": "ьому"},
    {"ий": "ому", "ій": "ьому"},
)  # fmt: skip
_FRACTIONS = tables.fractions(
    "одна друга, одна третя, дві третіх, одна четверта, три чверті, одна п'ята, дві п'ятих, три п'ятих, "
    "чотири п'ятих, одна шоста, одна восьма, три восьмих, п'ять восьмих, сім восьмих"
)
_SHORT = {
    "т. д.": "так далі", "т.д.": "так далі", "т. п.": "тому подібне", "т.п.": "тому подібне",
    "ін.": "інші", "напр.": "наприклад", "вкл.": "включно з", "проф.": "професор", "акад.": "академік", "доц.": "доцент",
    "прибл.": "приблизно", "п-н": "пан", "д-р": "доктор",
    "тел.": "телефон", "стор.": "сторінка", "див.": "дивись",
    "Тел.": "телефон", "і/або": "і або", "та/або": "та або",
    "вул.": "вулиця", "ім.": "імені", "н. е.": "нашої ери",
}  # fmt: skip
_QUEENS = "Катерина|Єлизавета"
_KINGS = "Петро|Олександр|Микола|Павло|Іван|Людовик|Людовік|Едуард|Пій|Бенедикт|Карл|Генріх"

_CASES = {
    **dict.fromkeys(tables.names("з із зі до від біля для без навколо"), 1), **dict.fromkeys(("к",), 2),
    **dict.fromkeys(tables.names("за над під перед між"), 3), **dict.fromkeys(tables.names("у в на о при по"), 4),
}  # fmt: skip
_PLACES = {
    "м": "місто міста місту містом місті", "р": "річка річки річці річкою річці", "с": "село села селу селом селі",
    "смт": "селище селища селищу селищем селищі", "пл": "площа площі площі площею площі",
    "пр": "проспект проспекту проспекту проспектом проспекті",
}  # fmt: skip

_SCALES = {
    "млн": "мільйон[;и;ів]",
    "млрд": "мільярд[;и;ів]",
    "трлн": "трильйон[;и;ів]",
    "тис.": "тисяч[а;і;]",
}
_SHORT_MONTHS = romance.names(
    "січ лют бер квіт/кві трав черв/чер лип серп/сер вер жовт/жов лист/лис груд/гру", _MONTHS
)
_DAYS = dict(zip(
    tables.names("пн вт ср чт пт сб нд"),
    tables.names("понеділок:понеділка:понеділок вівторок:вівторка:вівторок середа:середи:середу четвер:четверга:четвер "
                 "п'ятниця:п'ятниці:п'ятницю субота:суботи:суботу неділя:неділі:неділю"),
    strict=True,
))  # fmt: skip
_MONTHS_IN = dict(zip(_MONTHS, tables.names(
    "січні лютому березні квітні травні червні липні серпні вересні жовтні листопаді грудні"), strict=True))  # fmt: skip
_BEFORE_NUMBER = {
    "ст.": "стаття", "гл.": "глава", "буд.": "будинок", "кв.": "квартира", "п.": "пункт", "с.": "сторінка", "розд.": "розділ", "каб.": "кабінет", "табл.": "таблиця", "абз.": "абзац", "завд.": "завдання", "вар.": "варіант", "впр.": "вправа", "ауд.": "аудиторія", "кімн.": "кімната",
    "макс.": "максимум", "дод.": "додатковий", "корп.": "корпус", "оф.": "офіс", "пов.": "поверх",
}  # fmt: skip

_OWN = (
    slavic.weekdays(_DAYS, "з", "по"),
    *slavic_endings.days("uk", _MONTHS, _GENITIVE),
    slavic.coins("uk", r"грн\.?", r"коп\.?", ("грив[ня;ні;ень]", "копі[йка;йки;йок]")),
    romance.parts({"розд": "розділ", "гл": "глава", "т": "том"}, lambda value: cardinal("uk", value)),
    slavic_endings.quarters("uk", (_NOMINATIVE, _GENITIVE, _LOCATIVE, _LOCATIVE)),
    slavic_endings.since_years("uk", _GENITIVE, "рік", "р"),
    slavic_endings.short_numbers("uk"),
    slavic_endings.wars("uk", "світов", {"а": _GENDERS["а"], "ої": _GENDERS["ї"], "у": {"ий": "у", "ій": "ю"}, "ій": _AT}),
    slavic_endings.centuries_before("uk", {"століття": {"ий": "е", "ій": "є"}, "столітті": _LOCATIVE, "століттю": _LOCATIVE}),
    slavic_endings.pages("uk"),
    *slavic_dates.days_alone(_DAYS, {}),
    slavic_dates.years("uk", ("роки", "роках"), ("[ВвУу]", _LOCATIVE)),
    *slavic_dates.short_dates("uk", _SHORT_MONTHS, ("в|у", _MONTHS_IN), _GENITIVE, "року"),
    slavic_dates.dotted_dates(_say_date, "до|з|від|після|не пізніше"),
    slavic_dates.centuries("uk", "ст", "[ВвУу]", ("століття", "століття", "столітті", "століттю"), _CENTURIES),
    slavic.far_ranges("uk", "від", "до", lambda: cases.counted_words(UKRAINIAN)),
    slavic.compounds("uk"),
    Rule(
        "time", re.compile(r"(?<!\w)([Оо]б?) (\d{1,2}):([0-5]\d)(?![\w:])"),
        lambda m: _at(m[1], int(m[2]), int(m[3])) if int(m[2]) <= 24 else None,
    ),
    Rule(
        "decade", re.compile(r"(?<![\w.,])(\d{0,2}[2-9]0|[12]\d00)-(ті|х)(?!\w)"),
        lambda m: f"{ordinal('uk', int(m[1]))[:-2]}{'і' if m[2] == 'ті' else 'их'}",
    ),
    Rule("place", re.compile(r"(?<=\b[ВвУу] )каб\.(?= ?\d)"), lambda _: "кабінеті"),
    Rule("pages", re.compile(r"(?<![\w.])с(?:тор)?\.(?= ?\d+ ?(?:[-–]|і|та) ?\d)"), lambda _: "сторінки"),
    romance.shortened(_BEFORE_NUMBER, r"(?<![\w.]){}(?= ?\d)"),
    romance.shortened({"ч.": "частина"}, r"(?<![\w.]){}(?= ?\d)"),
    slavic.figure("рисунку"),
    romance.shortened({"рис.": "рисунок"}, rf"(?<![\w.]){{}}(?= ?\d+(?!\d| ?(?:{slavic.RICE})))", last=True),
    romance.shortened(_SHORT_MONTHS, r"(?<=\d ){}\.(?= \d{{4}}|\W*$)"),
    Rule(
        "years", re.compile(r"(?<=\b[зЗ] )(\d{4}) по (\d{4})(?= р[іо]к)"),
        lambda m: f"{slavic.genitive(ordinal('uk', int(m[1])), _GENITIVE)} по {ordinal('uk', int(m[2]))}",
    ),
    Rule("half", re.compile(r"(?<![\w.,/])(?<!\d )(?:½|1/2)(?= [а-яіїє])"), lambda _: "половина"),
    slavic.places(_CASES, _PLACES),
    *romance.telephones(lambda: UKRAINIAN, r"\(?0\d{2}\)?[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}", r"0 ?800 \d{3} \d{3}"),
    *slavic.dates("uk", _MONTHS, _GENITIVE, _YEARS, r"р\.|року"),
    Rule(
        "date", re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.([12]\d{3}) ?р(?:\.|оку)(?!\w)"),
        lambda m: _say_date(int(m[1]), int(m[2]), int(m[3])) if 1 <= int(m[1]) <= 31 and 1 <= int(m[2]) <= 12 else None,
    ),
    slavic.years("uk", "р", ("у", "У", "в", "В"), (_LOCATIVE, "році"), (_GENITIVE, "року")),
    romance.short(_SHORT),
    Rule(
        "ordinal", re.compile(rf"(?<![\w.,])(\d{{1,4}})-({'|'.join(sorted(_GENDERS, key=len, reverse=True))})(?!\w)"),
        _ordered,
    ),
    romance.fractions(_FRACTIONS),
    *cases.genitives(
        lambda: UKRAINIAN, "uk", "до|від|близько|більше|менше|після|без|для", "з|із|зі",
        clock=("годин[а;и;]", "хвилин[а;и;]"), scales=_SCALES,
    ),
    slavic.scales("uk", _SCALES),
    slavic.halves("uk"),
    slavic.counted("uk"),
    romance.roman(_KINGS, lambda value: ordinal("uk", value)),
    romance.roman(_QUEENS, lambda value: slavic.genitive(ordinal("uk", value), _GENDERS["а"])),
    romance.roman("Глава|глава|Розділ|розділ|Том|том|Частина|частина|Модуль|модуль", lambda value: cardinal("uk", value)),
)  # fmt: skip

UKRAINIAN: Language = Language(
    code="uk", decimal=",", point="кома", minus="мінус", plus="плюс", to="", far="до", by="на", ratio="", power="у степені",
    and_="", of="", digitwise=False, day_first=True, version="версія",
    agree=slavic.agreed("uk"), form=slavic.formed,
    signs=tables.signs(
        "відсотків, проміле, і, плюс, дорівнює, собака, решітка, коса риска, зворотна коса риска, зірочка, "
        "підкреслення, приблизно, дашок, вертикальна риска, менше, більше, менше або дорівнює, більше або дорівнює, "
        "не дорівнює, приблизно, плюс-мінус, помножити на, поділити на, корінь з, нескінченність, градусів, "
        "параграф, абзац, копірайт, зареєстрований знак, товарний знак, євро, фунтів, доларів, єн, у квадраті, "
        "у кубі, до, номер, мікро, а, о"
    ) | tables.keys("дієз", "бемоль"),
    web=tables.web(
        "крапка, собака, коса риска, дефіс, підкреслення, двокрапка, знак питання, дорівнює, і, решітка, плюс, "
        "відсоток, тильда, кома, крапка з комою"
    ),
    units=tables.measures(*slavic.twice(
        "метр[;и;ів], грам[;и;ів], літр[;и;ів], секунд[а;и;], хвилин[а;и;], годин[а;и;], ват[;и;], вольт[;и;], "
        "ампер[;и;], герц[;и;], байт[;и;ів], біт[;и;ів], піксел[ь;і;ів], паскал[ь;і;ів], джоул[ь;і;ів], "
        "калорі[я;ї;й], бар[;и;], тонн[а;и;], гектар[;и;ів], децибел[;и;], градус[;и;ів], д[ень;ні;нів]",
        "кіло мега гіга тера пета гекто деци санти мілі мікро нано",
        "квадратн[ий;і;их] {}, кубічн[ий;і;их] {}, {} Цельсія, {} Фаренгейта, {}-годин, {} за секунду, {} за годину, "
        "відсот[ок;ки;ків], проміле, частин на мільйон",
        "км=кілометр[;и;ів], м=метр[;и;ів], см=сантиметр[;и;ів], мм=міліметр[;и;ів], кг=кілограм[;и;ів], "
        "г=грам[;и;ів], л=літр[;и;ів], мл=мілілітр[;и;ів], км/год=кілометр[;и;ів] за годину, "
        "м²=квадратн[ий;і;их] метр[;и;ів], год=годин[а;и;], хв=хвилин[а;и;], сек=секунд[а;и;], ГБ=гігабайт[;и;ів], "
        "МБ=мегабайт[;и;ів], кВт=кіловат[;и;], т=тонн[а;и;], м³=кубічн[ий;і;их] метр[;и;ів], В=вольт[;и;], Вт=ват[;и;], Гц=герц[;и;], "
        "МГц=мегагерц[;и;], ГГц=гігагерц[;и;], мг=міліграм[;и;ів], ТБ=терабайт[;и;ів], Мбіт/с=мегабіт[;и;ів] за секунду, "
        "км²=квадратн[ий;і;их] кілометр[;и;ів], га=гектар[;и;ів], ккал=кілокалорі[я;ї;й], "
        "мс=мілісекунд[а;и;], мкс=мікросекунд[а;и;], шт.=штук[а;и;], шт=штук[а;и;], міс.=місяц[ь;і;ів], год.=годин[а;и;], кв. м=квадратн[ий;і;их] метр[;и;ів], кв.м=квадратн[ий;і;их] метр[;и;ів], "
        "кв. км=квадратн[ий;і;их] кілометр[;и;ів], куб. м=кубічн[ий;і;их] метр[;и;ів], куб.м=кубічн[ий;і;их] метр[;и;ів], "
        "м/с=метр[;и;ів] за секунду, кВт·год=кіловат-годин[а;и;], кВт⋅год=кіловат-годин[а;и;], кВт-год=кіловат-годин[а;и;], хв.=хвилин[а;и;], "
        "сек.=секунд[а;и;], уд/хв=удар[;и;ів] на хвилину, мм рт. ст.=міліметр[;и;ів] ртутного стовпа, кГц=кілогерц[;и;]",
    )),
    per="за",
    money=tables.money({
        "₴ UAH грн": "грив[ня;ні;ень]|грив[ня;ні;ень]|копі[йка;йки;йок]|копі[йка;йки;йок]",
        "€ EUR": "євро|євро|цент[;и;ів]|цент[;и;ів]", "$ US$ USD": "долар[;и;ів]|долар[;и;ів]|цент[;и;ів]|цент[;и;ів]",
        "£ GBP": "фунт[;и;ів]|фунт[;и;ів]|пенс[;и;ів]|пенс[;и;ів]", "¥ JPY": "єн[а;и;]|єн[а;и;]||",
        "₽ RUB": "рубл[ь;і;ів]|рубл[ь;і;ів]||", "₹": "рупі[я;ї;й]|рупі[я;ї;й]||", "₿": "біткоїн[;и;ів]|біткоїн[;и;ів]||",
    }),
    scales={
        "тис.": "тисяч[а;і;]", "тисяч": "тисяч", "млн": "мільйон[;и;ів]", "мільйон": "мільйон",
        "мільйони": "мільйони", "мільйонів": "мільйонів", "млрд": "мільярд[;и;ів]", "мільярдів": "мільярдів", "трлн": "трильйон[;и;ів]",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "альфа бета гамма дельта епсилон дзета ета тета йота каппа лямбда мю ню ксі омікрон пі ро сигма тау іпсилон "
        "фі хі псі омега"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, decimals=slavic.decimals("uk"), half=slavic.half("uk"),
    each="на", out_of="з", over="на", times="раз[;и;ів]",
)  # fmt: skip
