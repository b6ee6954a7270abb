"""Japanese. Numbers become kanji; how they sound before what is counted (三本) the voice's readings know."""

# ruff: noqa: E501, RUF001  (full-width characters; wide ones count twice)

from __future__ import annotations

import re

from avatarlab_ops.reading import romance, tables, unspaced
from avatarlab_ops.reading.language import Language, Rule, cardinal


def _say_date(day: int, month: int, when: int | None) -> str:
    said = f"{cardinal('ja', month)}月{cardinal('ja', day)}日"
    return said if when is None else f"{cardinal('ja', when)}年{said}"


def _say_time(hour: int, minute: int, second: int | None) -> str:
    said = f"{cardinal('ja', hour)}時" + (f"{cardinal('ja', minute)}分" if minute else "")
    return f"{said}{cardinal('ja', second)}秒" if second else said


def _fraction(match: re.Match[str]) -> str | None:
    """3/4 is three quarters; 5/1 is none but the first of May."""
    part, whole = int(match[1]), int(match[2])
    if part < whole:
        return f"{cardinal('ja', whole)}分の{cardinal('ja', part)}"
    return _say_date(whole, part, None) if part <= 12 else None


_FRACTIONS = tables.fractions(
    "二分の一, 三分の一, 三分の二, 四分の一, 四分の三, 五分の一, 五分の二, 五分の三, 五分の四, 六分の一, "
    "八分の一, 八分の三, 八分の五, 八分の七"
)
_OWN = (
    unspaced.shares(lambda: JAPANESE),
    *romance.telephones(lambda: JAPANESE, r"0\d{1,4}-\d{1,4}-\d{3,4}", r"0[5-9]0\d{8}"),
    Rule(
        "date", re.compile(r"(?<![\w.,])(\d{4})\.(0?[1-9]|1[0-2])\.(0?[1-9]|[12]\d|3[01])(?!\d|\.\d)"),
        lambda m: _say_date(int(m[3]), int(m[2]), int(m[1])),
    ),
    Rule(
        "date", re.compile(r"(?<![\w./,-])(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])(?= ?[(（][月火水木金土日祝]| ?の ?\d{1,2}:\d\d| \d{1,2}:\d\d| ?[~～〜–-] ?\d{1,2}/\d)|"
                           r"(?<=[~～〜])(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])(?![\d/])"),
        lambda m: _say_date(int(m[2] or m[4]), int(m[1] or m[3]), None),
    ),
    Rule("digits", re.compile(r"(?:(?<=番号)|(?<=番号[ は：:が])|(?<=番号[：:は] )|(?<=番号 [：:は] ))\d{5,}(?!\d|[.,]\d)"), lambda m: JAPANESE.digits(m[0])),
    Rule("weekday", re.compile(r"(?<!\d)(?<!\d )([月火水木金土日]) ?[~～〜-] ?([月火水木金土日])(?![\u4e00-\u9fff]| ?[~～〜-])"),
         lambda m: f"{m[1]}曜から{m[2]}曜"),
    # 十分 by itself is heard as "enough" (じゅうぶん); after an hour and before 間 or 後 it is not.
    Rule("minutes", re.compile(r"(?<![\d.,:~～〜–-])(?<!時)(?<!時 )10 ?分(?! ?の ?\d|[間後前毎弱強な]|に満足|ごと)"), lambda _: "じゅっぷん"),
    Rule("over", re.compile(r"(?<![\w.,/])(\d{2,3})/(\d{2,3}) ?mm ?Hg(?![A-Za-z])"),
         lambda m: f"{cardinal('ja', int(m[1]))}の{cardinal('ja', int(m[2]))}水銀柱ミリメートル"),
    Rule("from", re.compile(r"(?:(?<=[\d万千億][円時分日月年人個])|(?<=[\d万千億] [円時分日月年人個])|(?<=\d%)) ?[~～〜](?! ?[\w-])"), lambda _: "から"),
    Rule("fraction", re.compile(r"(?<![\w./,-])([1-9]\d?)/([1-9]\d?)(?![\w/])"), _fraction),
    Rule("range", re.compile(r"(?<=[\d%年月日時分円人℃]) ?[~～〜] ?(?=[\d-])|(?<=[%年月日時分円人]) ?[–-] ?(?=\d)"), lambda _: "から"),
)  # fmt: skip

JAPANESE: Language = Language(
    code="ja", decimal=".", point="点", minus="マイナス", plus="プラス", to="から", by="かける", ratio="対", power="の{}乗",
    and_="", of="", digitwise=True, day_first=False, version="バージョン", unspaced=True,
    signs=tables.signs(
        "パーセント, パーミル, アンド, プラス, イコール, アットマーク, シャープ, スラッシュ, バックスラッシュ, "
        "アスタリスク, アンダーバー, 約, ハット, 縦棒, 小なり, 大なり, 以下, 以上, ノットイコール, 約, "
        "プラスマイナス, かける, 割る, ルート, 無限大, 度, セクション, 段落, コピーライト, 登録商標, 商標, "
        "ユーロ, ポンド, ドル, 円, 二乗, 三乗, から, ナンバー, マイクロ, a, o"
    ) | {"〒": "郵便番号", "㈱": "株式会社", "㈲": "有限会社", "℡": "電話"},
    web=tables.web(
        "ドット, アットマーク, スラッシュ, ハイフン, アンダーバー, コロン, クエスチョン, イコール, アンド, シャープ, "
        "プラス, パーセント, チルダ, カンマ, セミコロン"
    ),
    units=tables.measures(
        "メートル|メートル, グラム|グラム, リットル|リットル, 秒|秒, 分|分, 時間|時間, ワット|ワット, ボルト|ボルト, "
        "アンペア|アンペア, ヘルツ|ヘルツ, バイト|バイト, ビット|ビット, ピクセル|ピクセル, パスカル|パスカル, "
        "ジュール|ジュール, カロリー|カロリー, バール|バール, トン|トン, ヘクタール|ヘクタール, デシベル|デシベル, 度|度, 日|日",
        "キロ メガ ギガ テラ ペタ ヘクト デシ センチ ミリ マイクロ ナノ",
        "平方{}, 立方{}, {}, 華氏{}, {}時, 毎秒{}, 時速{}, パーセント, パーミル, ピーピーエム",
        more="km/h=キロ毎時|キロ毎時, m/s=メートル毎秒|メートル毎秒",
    ),
    per="毎",
    money=tables.money({
        "€ EUR": "ユーロ|ユーロ|セント|セント", "$ US$ USD": "ドル|ドル|セント|セント", "£ GBP": "ポンド|ポンド|ペンス|ペンス",
        "¥ JPY": "円|円||", "CNY RMB": "人民元|人民元||", "₹": "ルピー|ルピー||", "CHF": "スイスフラン|スイスフラン||",
        "₿": "ビットコイン|ビットコイン||",
    }),
    scales={"万": "万", "億": "億", "兆": "兆", "M": "百万", "m": "百万", "k": "千", "K": "千", "bn": "十億", "B": "十億"},
    months=tuple(f"{cardinal('ja', month)}月" for month in range(1, 13)), fractions=_FRACTIONS, ordinal="(?!)",
    greek=tables.greek(
        "アルファ ベータ ガンマ デルタ イプシロン ゼータ イータ シータ イオタ カッパ ラムダ ミュー ニュー クサイ オミクロン "
        "パイ ロー シグマ タウ ウプシロン ファイ カイ プサイ オメガ"
    ),
    say_date=_say_date, say_time=_say_time, own=_OWN,
)  # fmt: skip
