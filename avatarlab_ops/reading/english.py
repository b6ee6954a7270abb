"""American English."""

# ruff: noqa: E501, RUF001  (patterns; typographic characters are what these rules are about)

from __future__ import annotations

import re

from avatarlab_ops.reading import english_everyday, numbers, romance
from avatarlab_ops.reading.english_fractions import fraction
from avatarlab_ops.reading.english_words import (
    COUNTED,
    DESCRIBED,
    GREEK,
    LARGE,
    MONEY,
    NO_DESCRIBED,
    NUMBERED,
    ORDERED,
    SHORT,
    SIGNS,
    TITLES,
    UNITS,
)
from avatarlab_ops.reading.language import Language, Rule, Say, cardinal, ordinal, stopped, year
from avatarlab_ops.reading.numbers import NUMBER, SIGN

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November",
    "December",
)  # fmt: skip
_NAMED = {name: number for number, name in enumerate(_MONTHS, 1)}
_MONTH_OF = _NAMED | {name[:3]: number for name, number in _NAMED.items()} | {"Sept": 9}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{_MONTHS[month - 1]} {ordinal('en', day)}"
    return said if when is None else f"{said}, {year('en', when)}"


def british_date(day: int, month: int, when: int | None) -> str:
    """The third of November, as figures are read where the day stands first."""
    said = f"the {ordinal('en', day)} of {_MONTHS[month - 1]}"
    return said if when is None else f"{said} {year('en', when)}"


_BELOW_100 = (
    r"(?:(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?|(?:thir|four|fif|six|seven|eigh|nine)teen|ten|eleven|"
    r"twelve|one|two|three|four|five|six|seven|eight|nine|first|third|(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|[a-z]+teen|[a-z]+tie)th)(?![\w-])"
)
_BIG = "thousand|million|billion|trillion"
_AND = re.compile(
    rf"\bhundred(?= {_BELOW_100}(?! hundred\b))|\b(?:{_BIG})(?= {_BELOW_100}(?! (?:hundred|{_BIG})\b))"
)


def british_numbers(said: str) -> str:
    """One hundred and twenty, one thousand and five."""
    return _AND.sub(r"\g<0> and", said)


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = cardinal("en", hour)
    if minute:
        said += f" {'oh ' if minute < 10 else ''}{cardinal('en', minute)}"
    elif second is None:
        said += " o'clock" if hour <= 12 else " hundred"
    if second is None:
        return said
    return f"{said} and {cardinal('en', second)} second{'' if second == 1 else 's'}"


def _number(text: str) -> str | None:
    return numbers.say(text, ENGLISH)


def _half_day(match: re.Match[str]) -> str | None:
    hour, minute = int(match[1]), int(match[2] or 0)
    if not (1 <= hour <= 12 and minute < 60):
        return None
    said = cardinal("en", hour) + (f" {_say_time(hour, minute, None).split(' ', 1)[1]}" if minute else "")
    return f"{said} {match[3].upper()} M"


def _month_day(match: re.Match[str]) -> str | None:
    if not 1 <= int(match[2]) <= 31:
        return None
    return _say_date(int(match[2]), _MONTH_OF[match[1]], int(match[3]) if match[3] else None)


def _day_month(match: re.Match[str]) -> str | None:
    day, month = int(match[1]), _MONTHS[_MONTH_OF[match[2]] - 1]
    if not 1 <= day <= 31:
        return None
    when = f" {year('en', int(match[3]))}" if match[3] else ""
    return f"the {ordinal('en', day)} of {month}{when}"


_COUNTS = re.compile(r" (?!(?:and|at|from|in|only|to|is|are|for|with|on|we|the|or)\b)[a-z]")
_ENDS_A_DATE = re.compile(rf"\b(?:{_MONTH})\b\.? \d{{1,2}}(?:st|nd|rd|th)?(?:,? \d{{4}})?$")


def _between_dates(match: re.Match[str]) -> str | None:
    """Jan. 2-Feb. 3; but iPhone 5 - May 3 launch."""
    joined = match[0] in "-–" or _ENDS_A_DATE.search(match.string[: match.start()])
    return "to" if joined else None


def _span(match: re.Match[str]) -> str | None:
    """June 3-7, 2026."""
    first, last = int(match[2]), int(match[3])
    if not 1 <= first < last <= 31:
        return None
    after = match.string[match.end() :]
    if " " in match.string[match.end(2) : match.start(3)] and _COUNTS.match(after):
        return None  # June 3 - 5 things to know
    said = f"{_say_date(first, _MONTH_OF[match[1]], None)} to {ordinal('en', last)}"
    return f"{said}, {year('en', int(match[4]))}" if match[4] else said


_WEEKDAY = {
    name[:3]: name for name in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
}
_DAY = r"(?:Mon|Tues?|Wed|Thu(?:rs?)?|Fri|Sat|Sun)"


def _weekdays(match: re.Match[str]) -> str:
    """Mon-Fri, Sat & Sun; Tue before a date or an hour."""
    said = re.sub(rf"({_DAY})\b\.?", lambda m: _WEEKDAY[m[1][:3]], match[0])
    return re.sub(" ?[-–] ?", " to ", said).replace("&", "and").replace("/", " and ")


def _inches(match: re.Match[str]) -> str | None:
    """15.6" where the mark closes no quotation."""
    if match[2] in '"”':
        opened = False
        for mark in re.finditer(r'(\d)?(["“”])', match.string[: match.end() - 1]):
            opened = (not opened and not mark[1]) or (opened and bool(mark[1]) and mark[2] == "“")
        if opened:
            return None
    return f"{_number(match[1])} inch{'' if match[1] == '1' or _modifies(match) else 'es'}"


def _three(digits: str) -> str:
    """404 as it is said where it names: four oh four, five hundred."""
    head, tail = cardinal("en", int(digits[0])), int(digits[1:])
    return f"{head} {'hundred' if not tail else ('oh ' if tail < 10 else '') + cardinal('en', tail)}"


_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_FEW = "two|three|four|five|six|seven|eight|nine|ten|several|many|these|those|both"


def _modifies(match: re.Match[str]) -> bool:
    """A $12M round, your 30 GB plan; but the $5 my mom gave."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if re.search(r"\ban? $", before, re.I):
        return re.match(rf"[ -](?!(?:{NO_DESCRIBED}|[a-z]+ed)\b)[A-Za-z]", after) is not None
    if re.search(rf"\b(?:{_FEW}) $", before, re.I):  # two 500 mg tablets
        return (
            re.match(r" (?!(?:is|was|has|does|goes|plus|minus|less|across|as|yes)\b)[a-z]{3,}s\b", after)
            is not None
        )
    determined = re.search(r"\b(?:the|this|our|your|my|their|its|his|her) $", before, re.I)
    return bool(determined and re.match(rf"(?: (?:{DESCRIBED})\b|-[A-Za-z])", after))


def _short_year(match: re.Match[str]) -> str:
    return f"{'oh ' if match[1][0] == '0' else ''}{cardinal('en', int(match[1]))}"


def _aged(match: re.Match[str]) -> str:
    """Under-16s."""
    said = cardinal("en", int(match[1]))
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _stone(match: re.Match[str]) -> str | None:
    """12st 4lb, which is no rank; but lost her 21st match."""
    if not match[2] and not re.search(
        r"\b(?:weigh\w*|weight|lost|gained) (?:\w+ )?(?:1\d|\d?[02-9])$", match.string[: match.end(1)]
    ):
        return None
    pounds = f" {cardinal('en', int(match[2]))} pound{'s' * (match[2] != '1')}" if match[2] else ""
    return f"{cardinal('en', int(match[1]))} stone{pounds}"


def _decade(match: re.Match[str]) -> str:
    said = year("en", int(match[1])) if len(match[1]) == 4 else cardinal("en", int(match[1]))
    return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"


def _year(match: re.Match[str]) -> str:
    return year("en", int(match[1]))


def _uncounted(match: re.Match[str]) -> str | None:
    """A year, unless a unit follows: 1500 kg; a word that is a unit's, too, leaves it one."""
    after = re.match(r"[ \u00a0\u202f]?([^\W\d_]+|[%‰])(?!\w)(\.(?=.))?", match.string[match.end() :])
    if after is None or after[1] not in ENGLISH.units or after[1] in ("min", "bar", "mo", "in", "d"):
        return _year(match)
    initial = len(after[1]) == 1 and after[1].isupper() and after[2]  # In 2024 J. Smith
    named = after[1][0].isupper() and re.search(r"\b(?:[Ii]n|[Ss]ince|By) $", match.string[: match.start()])
    return _year(match) if initial or named else None


def _years(match: re.Match[str]) -> str:
    last = int(match[2])
    return f"{_year(match)} to {year('en', last) if len(match[2]) == 4 else cardinal('en', last)}"


def _pages(match: re.Match[str]) -> str:
    """A 320 pp. book, which is no difference of 320 points."""
    page = "page" if _modifies(match) else "pages"
    return f"{_number(match[1])} {page}" + "." * (match[0].endswith(".") and match.end() == len(match.string))


_ROMAN = r"(?!I [a-z])[IVXLCDM]+(?![\w-])"


def _ordered(match: re.Match[str]) -> str | None:
    value = numbers.roman(match[0])
    return (value and f"the {ordinal('en', value)}") or None


def _counted(match: re.Match[str]) -> str | None:
    value = None if match[0] in "CDLM" else numbers.roman(match[0])  # group C
    return (value and cardinal("en", value)) or None


def _after(words: str) -> str:
    """Look behind for any of the words and a space: each by itself, as the width of a look is fixed."""
    return "(?:" + "|".join(f"(?<={re.escape(word)} )" for word in words.split("|")) + ")"


# A letter after a number is part of a name after these words: Flat 4B, gate 5M.
_PLACED = re.compile(
    r"\b(?:flat|apt\.?|apartment|room|gate|page|row|unit|seat|suite|house|block|building|door|track|platform|"
    r"terminal|section|level|floor|aisle|bus|flight|exit|form|route|model|boeing|airbus|no\.|number) #?$",
    re.I,
)
_NO_COUNTED = r"(?:is|was|are|were|has|had|in|on|at|of|to|from|and|or|for|with|by|as)\b"  # no noun


def _large(match: re.Match[str]) -> str | None:
    """2.3M views, 10K users; but 221B Baker Street."""
    first, number, scale = match["first"], match["number"], match["scale"]
    before, after = match.string[: match.start()], match.string[match.end() :]
    money = re.match(r" ?([A-Z]{3}|[€£$¥])(?!\w)", after)  # 5M GBP is an amount's to read
    if (scale in "KMB" and _PLACED.search(before)) or (money and money[1] in ENGLISH.money):
        return None
    if scale == "B" and not _is_billion(number, before, after):
        return None
    said = f"{_number(match['sign'] + (first or number))}"
    if first:
        said += f" {LARGE[match['scale_first']]}" if match["scale_first"] else ""
        said += f" to {_number(number)}"
    return f"{said} {LARGE[scale]}"


def _is_billion(number: str, before: str, after: str) -> bool:
    """Whether B after a number is billion, and not the letter of a house."""
    if "." in number or re.match(rf"\+?[ -]?(?!{_NO_COUNTED})[a-z]", after):
        return True
    return not re.match(r" ?[A-Z]", after) and re.search(r"\b[a-z]+\W{1,2}$", before) is not None


def _airliner(match: re.Match[str]) -> str | None:
    """737-800 is an aeroplane: seven thirty-seven eight hundred; pages 717-800 are none."""
    if re.search(
        r"\b(?:pages?|pp\.|rooms?|lines?|numbers?|nos?\.|between) $", match.string[: match.start()], re.I
    ):
        return None
    model = f"{'oh ' if match[1][0] == '0' else ''}{_number(str(int(match[1])))}"
    return f"seven {model} {_number(match[2])}"


def _words(table: dict[str, str]) -> str:
    return "|".join(map(re.escape, sorted(table, key=len, reverse=True)))


def _short(match: re.Match[str]) -> str:
    """The full stop of an abbreviation at the end of a sentence is also the sentence's."""
    last = match.end() == len(match.string) and match[0].endswith(".")
    return SHORT[match[0]] + ("." if last else "")


_MANY = {"100": "hundreds", "1000": "thousands", "10000": "tens of thousands",
         "100000": "hundreds of thousands", "1000000": "millions"}  # fmt: skip


def _clock(match: re.Match[str]) -> str:
    """1h 30m 5s."""
    units = (("hour", match[1]), ("minute", match[2]), ("second", match[3]))
    said = (f"{cardinal('en', int(n))} {unit}{'' if int(n) == 1 else 's'}" for unit, n in units if n)
    return " ".join(said)


_LEAST = re.compile(
    r" (?:payment|order|spend|purchase|deposit|balance|wage|salary|charge|fee|stay|age|quantity|qty|requirement)s?\b"
)


def _least(match: re.Match[str]) -> str | None:
    """Min. 8 characters, £5 min. spend; but 5 min. and a min. are of an hour."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    if re.search(r"(?<![$£€\d.,])\d[\d.,]*[ -]?$", before) and not _LEAST.match(after):
        return None
    if re.search(r"\b(?:an?|one|per|last) $", before) and re.match(r"$|[.,;:!?)]| (?:later|ago|or)\b", after):
        return "minute" + ("." if not after else "")  # wait a min.
    return "minimum" + ("." if not after else "")


def _street(match: re.Match[str]) -> str:
    """Baker St., with the sentence's full stop at its end."""
    return "street" + ("." if match[0].endswith(".") and match.end() == len(match.string) else "")


def _feet(match: re.Match[str]) -> str:
    feet, inches = match[1], match[2]
    if inches and _modifies(match):  # a 6'2" player
        return f"{cardinal('en', int(feet))} foot {cardinal('en', int(inches))}"
    said = f"{cardinal('en', int(feet))} {'foot' if feet == '1' else 'feet'}"
    return f"{said} {cardinal('en', int(inches))} {'inch' if inches == '1' else 'inches'}" if inches else said


_NO_WIDTH = r"(?! (?!(?:later|ago|and|or|to|after|before|in|on|at|for)\b)[^\W\d_])"  # 5h 3 m wide
_YEAR = r"(?:1[1-9]\d\d|20\d\d)"
_ALONE = r"(?<![\w.,])"  # no number goes on from the left
_PATTERNS: tuple[tuple[str, str, Say], ...] = (
    (
        "weekday",
        rf"(?<!\w){_DAY}\b\.?(?:(?: ?[-–] ?| to | through | & | and |, ?|/){_DAY}\b\.?(?!\w))+",
        _weekdays,
    ),
    (
        "weekday",
        rf"(?<!\w)(?!(?<=The )Sun\b){_DAY}\b\.?(?=,? (?:{_MONTH})\b\.? \d|,? \d{{1,2}}(?:[:.]\d\d)? ?[ap]\.?m\b|,? \d{{1,2}} (?:{_MONTH})\b)",
        _weekdays,
    ),
    (
        "vanity",
        r"(?<![\w-])1-(8\d\d)-([A-Z]{3,})(?:-([A-Z]+))?(?![\w-])",
        lambda m: f"one, {_three(m[1])}, {' '.join(filter(None, (m[2], m[3])))}",
    ),
    ("short code", r"(?<=[A-Z]{2} to )\d{5,6}(?![\w.,]\d| [a-z])", lambda m: ENGLISH.digits(m[0])),
    (
        "wireless",
        r"(?<![\w.])802\.(\d{1,2})([a-z]{0,2})\b",
        lambda m: f"eight oh two dot {cardinal('en', int(m[1]))} {' '.join(m[2].upper())}".strip(),
    ),
    (
        "named",
        r"(?:(?<=[Ee]rror )|(?<=HTTP )|(?<=[Ss]tatus ))[1-5]\d\d(?![\w.,]\d|\w)",
        lambda m: _three(m[0]),
    ),
    ("named", r"(?:(?<=RTX )|(?<=GTX )|(?<=Ryzen ))\d{4}(?!\d)", lambda m: year("en", int(m[0]))),
    ("named", r"(?<![\w.])(401|403|457|501|529)\((\w)\)", lambda m: f"{_three(m[1])} {m[2]}"),
    (
        "fiscal",
        r"\bFY ?['’]?(\d{4}|\d\d)(?![\w])",
        lambda m: f"F Y {year('en', int(m[1])) if len(m[1]) == 4 else cardinal('en', int(m[1]))}",
    ),
    ("compass", r"(?<=[°′″])[ \u00a0]?([NSEW])\b", lambda m: _COMPASS[m[1]]),
    (
        "range",
        r"(?:(?<=\d[ap]m)|(?<=\d[AP]M)|(?<=\d [AaPp]m)|(?<=\d [AP]M)|(?<=[AaPp]\.[Mm]\.))\s?[-–]\s?(?=\d|noon|midnight)",
        lambda _: "to",
    ),
    (
        "range",
        r"(?:(?<=\dst)|(?<=\dnd)|(?<=\drd)|(?<=\dth))\s?[-–]\s?(?=\d+(?:st|nd|rd|th)\b)",
        lambda _: "to",
    ),
    ("by", r"(?<=[\"”″]) ?[x×] ?(?=\d)", lambda _: "by"),
    ("range", rf"(?<=\d) ?[-–] ?(?=(?:{_MONTH})\b\.? \d)", _between_dates),
    ("abbreviation", rf"(?<![\w.])(?:{_words(SHORT)})(?!\w)", _short),
    ("abbreviation", r"(?<![\w./])[Mm]in\.(?!\w)", _least),
    ("title", rf"\b({'|'.join(TITLES)})\.(?= ?[A-Z]| and | & )", lambda m: TITLES[m[1]]),
    ("title", r"\b(Mr|Mrs|Ms|Dr|St)(?= [A-Z])", lambda m: TITLES[m[1]]),
    ("street", r"(?<=[a-z] )St(?:\.?(?=$|[,;:?!)])|\.(?= [a-z]))", _street),
    ("abbreviation", rf"(?<![\w.])({_words(NUMBERED)})(?= ?\d)", lambda m: NUMBERED[m[1]]),
    (
        "half day",
        r"(?<![\w:.,])(\d{1,2})(?:[:.](\d{2}))?\s?([AaPp])\.?[Mm]\b(?:\.(?=\s+(?:[a-z,]|(?:[ECMP][SD]?T|GMT|UTC|B?ST|CES?T)\b)|[,–-]))?",
        _half_day,
    ),
    (
        "date",
        rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)? ?[-–] ?(\d{{1,2}})(?:st|nd|rd|th)?(?![\w:%]|\.\d)(?:,? (\d{{4}})\b)?",
        _span,
    ),
    ("date", rf"\b({_MONTH})\.? (\d{{1,2}})(?:st|nd|rd|th)?(?![\w:%]|\.\d)(?:,? (\d{{4}})\b)?", _month_day),
    (
        "date",
        rf"{_ALONE}(?:[Tt]he )?(\d{{1,2}})(?:st|nd|rd|th)? (?:of )?({_MONTH})\b\.?(?:,? (\d{{4}})\b)?",
        _day_month,
    ),
    ("inches", r"(?<![\w.])(\d{1,15}) ?ft\.? (\d{1,2}) ?in\b\.?", _feet),
    ("feet", r"(?<![\w.])(\d{1,15})['′](?:(\d{1,2})[\"″])?(?!\w)", _feet),
    ("inches", rf"{_ALONE}(?<!/)({NUMBER})[ ]?([\"”″])(?![^\Wx])", _inches),
    ("inches", r"(?:(?<=\d/\d)|(?<=\d/\d\d))[\"”″](?! ?[.,;)]|$)", lambda _: "inch"),
    ("range", rf"(?<=[a-z\d])[–-](?={_DAY} \d)", lambda _: "to"),
    ("aged", r"(?:(?<=\b[Uu]nder-)|(?<=\b[Oo]ver-))(\d{1,2})s\b", _aged),
    ("stone", r"(?<![\w.,])([3-9]|[1-4]\d) ?st(?: (\d{1,2}) ?lbs?)?\b(?!\.)", _stone),
    ("war", r"\bWW(II?)\b", lambda m: f"World War {'two' if m[1] == 'II' else 'one'}"),
    ("established", r"(?<![\w.])Est\.(?= 1\d{3}(?!\d)| 20\d\d(?!\d))", lambda _: "established"),
    ("sharp", r"(?<![\w#])([CF])#(?![\w#])", lambda m: f"{m[1]} sharp"),
    ("decade", rf"{_ALONE}['’]?(\d{{3}}0|\d0)['’]?s\b", _decade),
    ("short year", r"(?<!\w)['’](\d\d)(?![\w'’]|[^'’]*[^\W_]['’](?!\w))", _short_year),
    (
        "many",
        rf"{_ALONE}(1,?000,000|100,?000|10,?000|1,000|100)s(?= of\b| more\b)",
        lambda m: _MANY[m[1].replace(",", "")],
    ),
    (
        "duration",
        rf"{_ALONE}(\d{{1,6}}) ?h ?(\d{{1,2}})(?:m| m{_NO_WIDTH})(?: ?(\d{{1,2}}) ?s)?(?![^\W_])",
        _clock,
    ),
    ("shares", r"(?<![\w./])(\d+)/\1(?![\w/])", lambda m: f"{_number(m[1])} {_number(m[1])}"),
    ("fraction", r"(?<![\w./-])(?:(\d{1,15}) )?(\d{1,3})/(\d{1,3})(?![\w/]|[.]\d)", fraction),
    ("roman", rf"{_after(ORDERED)}{_ROMAN}", _ordered),
    ("roman", rf"{_after(COUNTED)}{_ROMAN}", _counted),
    (
        "large",
        # 4K and 5K are names
        rf"(?<![\w.,$£€])(?<!\w-)(?P<sign>{SIGN})(?!\dK\b(?![-–]\d)|\d+K (?:run|race)s?\b)"
        rf"(?:(?P<first>{NUMBER})(?P<scale_first>{'|'.join(LARGE)})?[-–])?"
        rf"(?P<number>{NUMBER})(?P<scale>{'|'.join(LARGE)})\b(?:-(?=[a-z]))?",
        _large,
    ),
    (
        "airliner",
        # no range of pages: a type ends in hundreds or a number below the model's
        r"(?<![\w.,-])7([0-8]7)-([1-9]00|[1-6]\d\d|8|9|10)(?![\w-]|[.,]\d)",
        _airliner,
    ),
    ("standard", r"(?<=ISO )(\d{3,5}):(\d{4})(?!\d)", lambda m: f"{_number(m[1])} {year('en', int(m[2]))}"),
    (
        "ratio",
        rf"{_after('ratio|ratio of|scale|scale of|odds|odds of')}(\d{{1,9}}):(\d{{1,9}})(?!\w|:|[.,]\d)",
        lambda m: f"{_number(m[1])} to {_number(m[2])}",
    ),
    ("abbreviation", r"(?<![\w.])c\. ?(?=\d{3,4}(?!\w))", lambda _: "circa"),
    ("pages", r"(?<![\w.,+\u2212-])(\d{3,4}) ?pp\b\.?", _pages),
    ("number sign", r"(?<![\w&])#(?=\d)", lambda _: "number"),
    ("hashtag", r"(?<![\w&])#(?=[^\W\d_])", lambda _: "hashtag"),
    ("about", r"[~≈](?=\s?[\d$£€])", lambda _: "about"),
    ("times", r"(?<=[\w)]) \* (?=[\w(])", lambda _: "times"),
    ("years", rf"(?<![\w.,$£€:/–-])({_YEAR})\s?[-–]\s?({_YEAR}|\d\d)(?![\w–-])", _years),
    ("year", r"(?<=\b[Ii]n )(10\d\d)(?![\w%°]|[.,:/–-]\d)", _year),
    (
        "digits",
        r"(?:(?<=PIN )|(?<=ZIP )|(?<=Zip )|(?<=zip )|(?<=code ))\d{3,}",
        lambda m: ENGLISH.digits(m[0]),
    ),
    ("year", rf"(?<![\w.,$£€:/–-])({_YEAR})(?![\w%°]|[.,:/]\d|[–-]\d| ?[x×] ?\d| ?[€$£¥º°])", _uncounted),
)
_STOPPED = stopped((*SHORT, *NUMBERED, "min."))
_OWN = (
    *english_everyday.rules(lambda: ENGLISH),
    *romance.telephones(
        lambda: ENGLISH,
        r"0\d{2} \d{4} \d{4}|0\d{3} \d{3} \d{3,4}|0\d{4} \d{6}",
        r"(?:(?<=\b[Cc]all )|(?<=\b[Dd]ial ))(?:[1-9]11|112|999|988)"
        r"(?! (?!(?:now|for|if|and|or|when|in|at|from|to|first)\b)[a-z])",
    )[1:],
    *(
        Rule(kind, re.compile(pattern), say, _STOPPED if kind == "abbreviation" else frozenset())
        for kind, pattern, say in _PATTERNS
    ),
)

ENGLISH: Language = Language(
    code="en", decimal=".", point="point", minus="minus", plus="plus", to="to", by="by",
    power="to the power of", and_="and",
    of="", digitwise=True, day_first=False, signs=SIGNS,
    web={".": "dot", "@": "at", "/": "slash", "-": "dash", "_": "underscore", ":": "colon",
    "?": "question mark", "=": "equals",
         "&": "and", "#": "hash", "+": "plus", "%": "percent", "~": "tilde", ",": "comma", ";": "semicolon"},
    units=UNITS, per="per", money=MONEY,
    scales={"k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "b": "billion", "B": "billion",
            "bn": "billion", "tn": "trillion", "trn": "trillion", "T": "trillion", "hundred": "hundred", "thousand": "thousand",
            "million": "million",
            "billion": "billion", "trillion": "trillion"},
    months=_MONTHS,
    fractions={"½": "a half", "¼": "a quarter", "¾": "three quarters", "⅓": "a third", "⅔": "two thirds",
    "⅕": "a fifth",
               "⅖": "two fifths", "⅗": "three fifths", "⅘": "four fifths", "⅙": "a sixth",
               "⅚": "five sixths", "⅛": "an eighth",
               "⅜": "three eighths", "⅝": "five eighths", "⅞": "seven eighths", "⅐": "a seventh",
               "⅑": "a ninth", "⅒": "a tenth"},
    ordinal="(?:st|nd|rd|th)", greek=GREEK, say_date=_say_date, say_time=_say_time, own=_OWN,
    modifies=_modifies, out_of="out of", over="over", times="times", half=lambda n: f"{cardinal('en', n)} and a half",
)  # fmt: skip
