"""Chinese, in simplified or traditional characters."""

# ruff: noqa: E501, RUF001  (full-width characters; wide ones count twice)

from __future__ import annotations

import re

from avatarlab_ops.reading import numbers, romance, tables, unspaced
from avatarlab_ops.reading.language import Language, Rule, cardinal
from avatarlab_ops.reading.numbers import NUMBER

_MEASURED = "个個位只隻本件张張次天周週年种種名台家条條点點倍小分份岁歲块塊瓶辆輛"  # 2 before these is 两

# What follows an amount, and no number that is called or written: 拨打 200 通, but 拨打 10086 通话.
_AMOUNT = (
    r"(?:[多余餘次个個元万萬亿億吨噸件份种種只隻块塊辆輛瓶米页頁颗顆套篇枚遍句批亩畝字美欧]|维(?![修护護])|通(?![话話过過知])|名(?![称稱字单單])|[张張](?!先|女|小)|"
    r"[条條](?![形码碼])|位(?![置于於])|人(?!工)|本(?![机機地])|台(?![湾灣北中南])|家(?!庭)|[项項](?![目])|[组組](?![织織])|"
    r"天(?!津)|部(?![门門])|行(?!政)|分(?![机機]))"
)


def _year(year: str) -> str:
    return "".join(cardinal("zh", int(digit)) for digit in year)


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{cardinal('zh', month)}月{cardinal('zh', day)}日"
    return said if when is None else f"{_year(str(when))}年{said}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = f"{_two(cardinal('zh', hour), '点')}点"
    said += f"{'零' if minute < 10 else ''}{cardinal('zh', minute)}分" if minute else "整"
    return f"{said}{cardinal('zh', second)}秒" if second else said


def _two(number: str, _noun: str) -> str:
    return "两" if number == "二" else number


def _share(match: re.Match[str]) -> str | None:
    said = numbers.say(match[1], CHINESE)
    return said and f"{'百' if match[2] == '%' else '千'}分之{said}"


def _fraction(match: re.Match[str]) -> str | None:
    """3/4 is three quarters; 5/1 is none but the first of May."""
    part, whole = int(match[1]), int(match[2])
    if part < whole:
        return f"{cardinal('zh', whole)}分之{cardinal('zh', part)}"
    return _say_date(whole, part, None) if part <= 12 else None


_FRACTIONS = tables.fractions(
    "二分之一, 三分之一, 三分之二, 四分之一, 四分之三, 五分之一, 五分之二, 五分之三, 五分之四, 六分之一, "
    "八分之一, 八分之三, 八分之五, 八分之七"
)


def _years(match: re.Match[str]) -> str | None:
    """1999-2008年, (1606-1669); but (1000-2000) are amounts."""
    first, last = match[1] or match[3], match[2] or match[4]
    if match[3] and (first.endswith("00") and last.endswith("00")):
        return None
    return f"{_year(first)}到{_year(last)}"


_OWN = (
    unspaced.shares(lambda: CHINESE),
    *romance.telephones(
        lambda: CHINESE, r"0\d{2,3}-\d{7,8}", r"1[3-9]\d{9}", r"1[3-9]\d-\d{4}-\d{4}", r"[48]00-\d{3,4}-\d{3,4}"
    ),
    Rule(
        "digits",
        re.compile(
            r"(?:(?<=[拨撥] )(?<![调調划劃][拨撥] )|(?<=[拨撥]打 )|(?<=[邮郵][编編] )|(?<=[编編][码碼] )|(?<=[热熱][线線] )|(?<=[编編码碼线線]：))"
            rf"\d{{3,}}(?!\d|[.,]\d|[A-Za-z%‰]| ?{_AMOUNT})"
        ),
        lambda m: CHINESE.digits(m[0]),
    ),
    Rule("digits", re.compile(r"(?:(?<=[号號] )|(?<=[号號]：)|(?<=[号號码碼]: )|(?<=[码碼] ))\d{7,}(?!\d|[.,]\d)"), lambda m: CHINESE.digits(m[0])),
    Rule("per", re.compile(r"(?:(?<=[元块塊])|(?<=\d [次件个個人])) ?/ ?(?=[分秒日周斤公克吨噸个個件人天月年次小瓶只张張米平升晚])"), lambda _: "每"),
    Rule(
        "date", re.compile(r"(?<![\w.,])(\d{4})\.(0?[1-9]|1[0-2])\.(0?[1-9]|[12]\d|3[01])(?!\d|\.\d)"),
        lambda m: _say_date(int(m[3]), int(m[2]), int(m[1])),
    ),
    Rule("over", re.compile(r"(?<![\w.,/])(\d{2,3})/(\d{2,3}) ?mm ?Hg(?![A-Za-z])"),
         lambda m: f"{cardinal('zh', int(m[1]))}，{cardinal('zh', int(m[2]))}毫米汞柱"),
    Rule("date", re.compile(r"(?<![\d.,])([12]\d{3}) ?[-–~～] ?([12]\d{3}) ?(?=年)|(?<=[(（])([12]\d{3}) ?[-–—~～] ?([12]\d{3}) ?(?=[)）])"), _years),
    Rule("date", re.compile(r"(?<![\d.,])(\d{4}) ?(?=年)"), lambda m: _year(m[1])),
    Rule("counted", re.compile(rf"(?<![\d.,:/第-])(?<!第 )2 ?(?=[{_MEASURED}])(?!分之)"), lambda _: "两"),
    Rule("percent", re.compile(rf"(?<![\w.,])((?:\u2212|(?<![%‰])-)?{NUMBER}) ?([%‰])"), _share),
    Rule("fraction", re.compile(r"(?<![\w./,-])([1-9]\d?)/([1-9]\d?)(?![\w/])"), _fraction),
    Rule("range", re.compile(r"(?<=[\d%年月日号点℃]) ?[~～〜] ?(?=[\d-])|(?<=[%年月日号点]) ?[–-] ?(?=\d)"), lambda _: "到"),
)  # fmt: skip

CHINESE: Language = Language(
    code="zh", decimal=".", point="点", minus="负", plus="加", to="到", by="乘", ratio="比", power="的{}次方", and_="", of="",
    digitwise=True, day_first=False, version="版本", agree=_two, unspaced=True,
    signs=tables.signs(
        "百分之, 千分之, 和, 加, 等于, 艾特, 井号, 斜杠, 反斜杠, 星号, 下划线, 约, 脱字符, 竖线, 小于, 大于, "
        "小于等于, 大于等于, 不等于, 约等于, 正负, 乘, 除以, 根号, 无穷大, 度, 节, 段, 版权, 注册商标, 商标, "
        "欧元, 英镑, 美元, 元, 平方, 立方, 到, 编号, 微, a, o"
    ),
    web=tables.web(
        "点, 艾特, 斜杠, 杠, 下划线, 冒号, 问号, 等号, 和号, 井号, 加号, 百分号, 波浪号, 逗号, 分号"
    ),
    units=tables.measures(
        "米|米, 克|克, 升|升, 秒|秒, 分钟|分钟, 小时|小时, 瓦|瓦, 伏|伏, 安|安, 赫兹|赫兹, 字节|字节, 比特|比特, "
        "像素|像素, 帕|帕, 焦耳|焦耳, 卡|卡, 巴|巴, 吨|吨, 公顷|公顷, 分贝|分贝, 度|度, 天|天",
        "千 兆 吉 太 拍 百 分 厘 毫 微 纳",
        "平方{}, 立方{}, 摄氏{}, 华氏{}, {}时, {}每秒, {}每小时, 百分之, 千分之, 百万分之一",
        more="km=公里|公里, kg=公斤|公斤, ㎞=公里|公里, ㎏=公斤|公斤, km/h=公里每小时|公里每小时",
    ),
    per="每",
    money=tables.money({
        "€ EUR": "欧元|欧元|欧分|欧分", "$ US$ USD": "美元|美元|美分|美分", "£ GBP": "英镑|英镑|便士|便士",
        "¥ CNY RMB": "元|元||", "JPY": "日元|日元||", "HK$ HKD": "港元|港元||", "₹": "卢比|卢比||",
        "CHF": "瑞士法郎|瑞士法郎||", "₿": "比特币|比特币||",
    }),
    scales={"万": "万", "萬": "万", "亿": "亿", "億": "亿", "M": "百万", "m": "百万", "k": "千", "K": "千", "bn": "十亿", "B": "十亿"},
    months=tuple(f"{cardinal('zh', month)}月" for month in range(1, 13)), fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "阿尔法 贝塔 伽马 德尔塔 艾普西隆 泽塔 伊塔 西塔 约塔 卡帕 兰姆达 缪 纽 克西 奥密克戎 派 柔 西格马 "
        "陶 宇普西隆 斐 希 普西 欧米伽"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN,
)  # fmt: skip
