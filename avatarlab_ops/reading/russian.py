"""Russian."""

# ruff: noqa: E501, RUF001, RUF002  (Cyrillic letters; tables)

from __future__ import annotations

import re

from avatarlab_ops.reading import cases, numbers, romance, slavic, slavic_dates, slavic_endings, tables
from avatarlab_ops.reading.language import Language, Rule, cardinal, ordinal

_MONTHS = tables.names("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_NOMINATIVE = {"ый": "ый", "ий": "ий", "ой": "ой"}
_GENITIVE = {"ый": "ого", "ий": "ьего", "ой": "ого"}
_PREPOSITIONAL = {"ый": "ом", "ий": "ьем", "ой": "ом"}
_DATIVE = {"ый": "ому", "ий": "ьему", "ой": "ому"}
_YEARS = {"год": _NOMINATIVE, "года": _GENITIVE, "году": _PREPOSITIONAL}
_GENDERS = {"й": {}, "я": {"ый": "ая", "ий": "ья", "ой": "ая"}, "е": {"ый": "ое", "ий": "ье", "ой": "ое"},
            "го": _GENITIVE, "м": _PREPOSITIONAL, "ый": {}, "ий": {}, "ой": {"ый": "ой", "ий": "ьей"}, "ого": _GENITIVE,
            "ая": {"ый": "ая", "ий": "ья", "ой": "ая"}, "ое": {"ый": "ое", "ий": "ье", "ой": "ое"}, "му": _DATIVE, "ому": _DATIVE}  # fmt: skip


# What follows 5-й without being counted by it, and might be a feminine noun by its ending: 5-й или 6-й.
_NO_NOUN = "или|либо|если|после|раз[аы]|также|даже|тоже"


def _ordered(match: re.Match[str]) -> str:
    """5-й класс, but в 5-й группе."""
    feminine = re.match(rf" (?!(?:{_NO_NOUN})(?!\w))[а-яё]{{3,}}[еиы](?!\w)", match.string[match.end() :])
    ending = "ой" if match[2] == "й" and feminine else match[2]
    return slavic.genitive(ordinal("ru", int(match[1])), _GENDERS[ending])


def _plural(value: int, ending: str) -> str:
    """The plural: 90-е are девяностые."""
    return f"{ordinal('ru', value)[:-2]}ы{ending}"


def _century(match: re.Match[str]) -> str | None:
    first, last = numbers.roman(match[1]), numbers.roman(match[2])
    return f"{ordinal('ru', first)}, {ordinal('ru', last)} века" if first and last else None


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{slavic.genitive(ordinal('ru', day), _GENITIVE)} {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {slavic.genitive(ordinal('ru', when), _GENITIVE)} года"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    parts = [(hour, "час[;а;ов]"), (minute, "минут[а;ы;]"), (second, "секунд[а;ы;]")]
    said = []
    for value, what in parts:
        if value or what.startswith("час"):
            number = slavic.agreed("ru")(cardinal("ru", value or 0), what)
            said.append(f"{number} {slavic.formed(number, what)}")
    return " ".join(said)


_FRACTIONS = tables.fractions(
    "одна вторая, одна третья, две трети, одна четвёртая, три четверти, одна пятая, две пятых, три пятых, "
    "четыре пятых, одна шестая, одна восьмая, три восьмых, пять восьмых, семь восьмых"
)
_SHORT = {
    "т. д.": "так далее", "т.д.": "так далее", "т. е.": "то есть", "т. к.": "так как", "т.к.": "так как", "г-н": "господин", "г-жа": "госпожа", "д-р": "доктор",
    "напр.": "например", "вкл.": "включая", "проф.": "профессор", "акад.": "академик", "доц.": "доцент", "пп.": "пункты",
    "т.е.": "то есть", "т. п.": "тому подобное",
    "т.п.": "тому подобное", "др.": "другие", "тел.": "телефон", "стр.": "страница",
    "ул.": "улица", "н. э.": "нашей эры", "Тел.": "телефон", "и/или": "и или", "с. ш.": "северной широты",
    "в. д.": "восточной долготы",
}  # fmt: skip
_QUEENS = "Екатерина|Елизавета"
_KINGS = "Пётр|Петр|Александр|Николай|Павел|Иван|Людовик|Карл|Генрих"

_CASES = {
    **dict.fromkeys(tables.names("из до от у около для без возле вокруг близ"), 1), **dict.fromkeys(("к", "ко", "по"), 2),
    **dict.fromkeys(tables.names("за над под перед с со между"), 3), **dict.fromkeys(tables.names("в во на о об при"), 4),
}  # fmt: skip
_PLACES = {
    "г": "город города городу городом городе", "р": "река реки реке рекой реке", "с": "село села селу селом селе",
    "пос": "посёлок посёлка посёлку посёлком посёлке", "пл": "площадь площади площади площадью площади",
    "пр": "проспект проспекта проспекту проспектом проспекте", "пер": "переулок переулка переулку переулком переулке",
    "наб": "набережная набережной набережной набережной набережной",
}  # fmt: skip

_SCALES = {
    "млн": "миллион[;а;ов]",
    "млрд": "миллиард[;а;ов]",
    "трлн": "триллион[;а;ов]",
    "тыс.": "тысяч[а;и;]",
}
_SHORT_MONTHS = romance.names("янв фев/февр мар апр мая июн июл авг сен/сент окт ноя/нояб дек", _MONTHS)
_DAYS = dict(zip(
    tables.names("пн вт ср чт пт сб вс"),
    tables.names("понедельник:понедельника:понедельник вторник:вторника:вторник среда:среды:среду четверг:четверга:четверг "
                 "пятница:пятницы:пятницу суббота:субботы:субботу воскресенье:воскресенья:воскресенье"),
    strict=True,
))  # fmt: skip
_MONTHS_IN = dict(zip(_MONTHS, tables.names(
    "январе феврале марте апреле мае июне июле августе сентябре октябре ноябре декабре"), strict=True))  # fmt: skip
_BEFORE_NUMBER = {
    "ст.": "статья", "гл.": "глава", "д.": "дом", "кв.": "квартира", "п.": "пункт",
    "с.": "страница", "стр.": "страница", "разд.": "раздел", "каб.": "кабинет", "табл.": "таблица", "абз.": "абзац", "зад.": "задание", "вар.": "вариант", "упр.": "упражнение", "ауд.": "аудитория", "комн.": "комната",
    "макс.": "максимум", "доб.": "добавочный", "корп.": "корпус", "оф.": "офис", "эт.": "этаж",
}  # fmt: skip


def _hours(value: int) -> str:
    said = cardinal("ru", value)
    return f"{said} {slavic.formed(said, 'час[;а;ов]')}"


_OWN = (
    slavic.weekdays(_DAYS, "с", "по"),
    *slavic_endings.days("ru", _MONTHS, _GENITIVE),
    slavic.coins("ru", r"(?:руб\.?|р\.|₽)", r"коп\.?", ("рубл[ь;я;ей]", "копе[йка;йки;ек]")),
    romance.parts({"разд": "раздел", "гл": "глава", "т": "том"}, lambda value: cardinal("ru", value)),
    slavic_endings.quarters("ru", (_NOMINATIVE, _GENITIVE, _PREPOSITIONAL, _DATIVE)),
    slavic_endings.since_years("ru", _GENITIVE, "год", "г"),
    slavic_endings.short_numbers("ru"),
    slavic_endings.wars("ru", "миров", {"ая": _GENDERS["я"], "ой": {"ый": "ой", "ий": "ьей"}, "ую": {"ый": "ую", "ий": "ью", "ой": "ую"}}),
    slavic_endings.pages("ru"),
    *slavic_dates.days_alone(_DAYS, {"вт": "во"}),
    slavic_dates.years("ru", ("годы", "годах"), ("[Вв]", _PREPOSITIONAL)),
    *slavic_dates.short_dates("ru", _SHORT_MONTHS, ("в", _MONTHS_IN), _GENITIVE, "года"),
    slavic_dates.dotted_dates(_say_date, "до|с|от|после|не позднее"),
    slavic_dates.centuries("ru", "в", "[Вв]о?", ("век", "века", "веке", "веку"), (_NOMINATIVE, _GENITIVE, _PREPOSITIONAL, _DATIVE)),
    slavic.far_ranges("ru", "от", "до", lambda: cases.counted_words(RUSSIAN)),
    slavic.compounds("ru"),
    Rule("hour", re.compile(r"(?<!напряжение )(?<!питание )(?<!\w)([Вв]) (\d{1,2})(?= В [а-яё]{3,}(?!\w))"),
         lambda m: f"{m[1]} {cardinal('ru', int(m[2]))}"),
    Rule("place", re.compile(r"(?<=\b[Вв] )каб\.(?= ?\d)"), lambda _: "кабинете"),
    Rule("pages", re.compile(r"(?<![\w.])с(?:тр)?\.(?= ?\d+ ?(?:[-–]|и) ?\d)"), lambda _: "страницы"),
    Rule("page", re.compile(r"(?<![\w.])с\.(?= ?\d+ (?:человек|людей|раз|лет|минут|часов|дней|рублей)\w*)"), lambda _: "с"),
    Rule("see", re.compile(r"(?<![\w.])(?<!\d )(?<!\d)(?<!несколько )(?<!\b[Вв] )[Сс]м\.(?= [^\W_])"), lambda m: "Смотрите" if m[0][0] == "С" else "смотрите"),
    romance.shortened(_BEFORE_NUMBER, r"(?<![\w.]){}(?= ?\d)"),
    romance.shortened({"ч.": "часть"}, slavic_endings.PART_BEFORE_NUMBER),
    Rule("hours", re.compile(r"(?<![\w.,:/–-])(\d{1,2}) ?ч\.(?= ?\d{1,2} ?(?:мин|сек))"), lambda m: _hours(int(m[1]))),
    slavic.figure("рисунке"),
    romance.shortened({"рис.": "рисунок"}, rf"(?<![\w.]){{}}(?= ?\d+(?!\d| ?(?:{slavic.RICE})))", last=True),
    romance.shortened(_SHORT_MONTHS, r"(?<=\d ){}\.(?= \d{{4}}|\W*$)"),
    Rule(
        "years", re.compile(r"(?<=\bс )(\d{4}) по (\d{4})(?= год)|(?<=\bС )(\d{4}) по (\d{4})(?= год)"),
        lambda m: f"{slavic.genitive(ordinal('ru', int(m[1] or m[3])), _GENITIVE)} по {ordinal('ru', int(m[2] or m[4]))}",
    ),
    Rule(
        "decade", re.compile(r"(?<![\w.,])(\d{2,4})-(е|х)(?!\w)"),
        lambda m: _plural(int(m[1]), m[2]) if int(m[1]) % 10 == 0 and int(m[1]) >= 20 else None,
    ),
    Rule("half", re.compile(r"(?<![\w.,/])(?<!\d )(?:½|1/2)(?= [а-яё])"), lambda _: "половина"),
    slavic.places(_CASES, _PLACES),
    *romance.telephones(lambda: RUSSIAN, r"8[ -]?\(?\d{3}\)?[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}"),
    *slavic.dates("ru", _MONTHS, _GENITIVE, _YEARS, r"г\.|года"),
    Rule(
        "date", re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.([12]\d{3}) ?г\.(?!\w)"),
        lambda m: _say_date(int(m[1]), int(m[2]), int(m[3])) if 1 <= int(m[1]) <= 31 and 1 <= int(m[2]) <= 12 else None,
    ),
    slavic.years("ru", "г", ("в", "В"), (_PREPOSITIONAL, "году"), (_GENITIVE, "года")),
    romance.short(_SHORT),
    Rule(
        "ordinal", re.compile(r"(?<![\w.,])(\d{1,4})-(й|я|е|го|м|ый|ий|ой|ого|ая|ое|му|ому)(?!\w)"),
        _ordered,
    ),
    romance.fractions(_FRACTIONS),
    *cases.genitives(
        lambda: RUSSIAN, "ru", "до|от|из|около|более|менее|больше|меньше|свыше|после|без|для", "с|со",
        clock=("час[;а;ов]", "минут[а;ы;]"), scales=_SCALES,
    ),
    slavic.scales("ru", _SCALES),
    slavic.halves("ru"),
    slavic.counted("ru"),
    romance.roman(_KINGS, lambda value: ordinal("ru", value)),
    romance.roman(_QUEENS, lambda value: slavic.genitive(ordinal("ru", value), _GENDERS["я"])),
    romance.roman("Глава|глава|Раздел|раздел|Том|том|Часть|часть|Модуль|модуль", lambda value: cardinal("ru", value)),
    Rule("roman", re.compile(r"(?<![\w-])([IVX]+) ?[-–] ?([IVX]+) вв\."), _century),
    romance.roman_before(r"век(?!\w)", lambda value: ordinal("ru", value)),
    romance.roman_before("веке", lambda value: slavic.genitive(ordinal("ru", value), _PREPOSITIONAL)),
)  # fmt: skip

RUSSIAN: Language = Language(
    code="ru", decimal=",", point="запятая", minus="минус", plus="плюс", to="", far="до", by="на", ratio="", power="в степени",
    and_="", of="", digitwise=False, day_first=True, version="версия",
    agree=slavic.agreed("ru"), form=slavic.formed,
    signs=tables.signs(
        "процентов, промилле, и, плюс, равно, собака, решётка, косая черта, обратная косая черта, звёздочка, "
        "подчёркивание, примерно, крышка, вертикальная черта, меньше, больше, меньше или равно, больше или равно, "
        "не равно, приблизительно, плюс-минус, умножить на, разделить на, корень из, бесконечность, градусов, "
        "параграф, абзац, копирайт, зарегистрированный знак, товарный знак, евро, фунтов, долларов, иен, в квадрате, "
        "в кубе, к, номер, микро, а, о"
    ) | tables.keys("диез", "бемоль"),
    web=tables.web(
        "точка, собака, косая черта, дефис, подчёркивание, двоеточие, вопросительный знак, равно, и, решётка, плюс, "
        "процент, тильда, запятая, точка с запятой"
    ),
    units=tables.measures(*slavic.twice(
        "метр[;а;ов], грамм[;а;ов], литр[;а;ов], секунд[а;ы;], минут[а;ы;], час[;а;ов], ватт[;а;], вольт[;а;], "
        "ампер[;а;], герц[;а;], байт[;а;], бит[;а;], пиксел[ь;я;ей], паскал[ь;я;ей], джоул[ь;я;ей], "
        "калори[я;и;й], бар[;а;], тонн[а;ы;], гектар[;а;ов], децибел[;а;], градус[;а;ов], д[ень;ня;ней]",
        "кило мега гига тера пета гекто деци санти милли микро нано",
        "квадратн[ый;ых;ых] {}, кубическ[ий;их;их] {}, {} Цельсия, {} Фаренгейта, {}-часов, {} в секунду, {} в час, "
        "процент[;а;ов], промилле, частей на миллион",
        "км=километр[;а;ов], м=метр[;а;ов], см=сантиметр[;а;ов], мм=миллиметр[;а;ов], кг=килограмм[;а;ов], "
        "г=грамм[;а;ов], л=литр[;а;ов], мл=миллилитр[;а;ов], км/ч=километр[;а;ов] в час, м²=квадратн[ый;ых;ых] метр[;а;ов], "
        "ч=час[;а;ов], мин=минут[а;ы;], сек=секунд[а;ы;], ГБ=гигабайт[;а;], МБ=мегабайт[;а;], кВт=киловатт[;а;], "
        "т=тонн[а;ы;], м³=кубическ[ий;их;их] метр[;а;ов], м2=квадратн[ый;ых;ых] метр[;а;ов], км²=квадратн[ый;ых;ых] километр[;а;ов], "
        "В=вольт[;а;], Вт=ватт[;а;], Гц=герц[;а;], кГц=килогерц[;а;], МГц=мегагерц[;а;], ГГц=гигагерц[;а;], "
        "мг=миллиграмм[;а;ов], ТБ=терабайт[;а;], КБ=килобайт[;а;], Мбит/с=мегабит[;а;] в секунду, Гбит/с=гигабит[;а;] в секунду, "
        "га=гектар[;а;ов], л.с.=лошадин[ая;ые;ых] сил[а;ы;], дБ=децибел[;а;], ккал=килокалори[я;и;й], "
        "кВт·ч=киловатт-час[;а;ов], кВт⋅ч=киловатт-час[;а;ов], кВт-ч=киловатт-час[;а;ов], м/с=метр[;а;ов] в секунду, мес=месяц[;а;ев], "
        "кв. м=квадратн[ый;ых;ых] метр[;а;ов], кв.м=квадратн[ый;ых;ых] метр[;а;ов], кв. км=квадратн[ый;ых;ых] километр[;а;ов], "
        "куб. м=кубическ[ий;их;их] метр[;а;ов], куб.м=кубическ[ий;их;их] метр[;а;ов], мс=миллисекунд[а;ы;], мкс=микросекунд[а;ы;], нс=наносекунд[а;ы;], "
        "р/д=раз[;а;] в день, р/день=раз[;а;] в день, р/сут=раз[;а;] в сутки, шт.=штук[а;и;], шт=штук[а;и;], чел.=человек[;а;], чел=человек[;а;], мес.=месяц[;а;ев], мин.=минут[а;ы;], сек.=секунд[а;ы;], "
        "уд/мин=удар[;а;ов] в минуту, мм рт. ст.=миллиметр[;а;ов] ртутного столба",
    )),
    per="в",
    money=tables.money({
        "₽ RUB руб. руб р.": "рубл[ь;я;ей]|рубл[ь;я;ей]|копе[йка;йки;ек]|копе[йка;йки;ек]",
        "€ EUR": "евро|евро|цент[;а;ов]|цент[;а;ов]", "$ US$ USD": "доллар[;а;ов]|доллар[;а;ов]|цент[;а;ов]|цент[;а;ов]",
        "£ GBP": "фунт[;а;ов]|фунт[;а;ов]|пенс[;а;ов]|пенс[;а;ов]", "¥ JPY": "иен[а;ы;]|иен[а;ы;]||",
        "₴ UAH": "гривн[а;ы;]|гривн[а;ы;]||", "₹": "рупи[я;и;й]|рупи[я;и;й]||", "₿": "биткоин[;а;ов]|биткоин[;а;ов]||",
    }),
    scales={
        "тыс.": "тысяч[а;и;]", "тысяч": "тысяч", "млн": "миллион[;а;ов]", "миллион": "миллион",
        "миллиона": "миллиона", "миллионов": "миллионов", "млрд": "миллиард[;а;ов]", "миллиардов": "миллиардов", "трлн": "триллион[;а;ов]",
    },
    months=_MONTHS, fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "альфа бета гамма дельта эпсилон дзета эта тета йота каппа лямбда мю ню кси омикрон пи ро сигма тау ипсилон "
        "фи хи пси омега"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN, decimals=slavic.decimals("ru"), half=slavic.half("ru"),
    each="на", out_of="из", over="на", times="раз[;а;]",
)  # fmt: skip
