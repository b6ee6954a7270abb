"""Pronunciation lexicons: what is said of the words they hold, and what is wrong with a file, by line."""

# ruff: noqa: RUF001  (IPA letters)

from __future__ import annotations

import pytest

from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.reading.lexicon import Lexicon, is_header, parse
from avatarlab_ops.reading.marked import Piece
from avatarlab_ops.reading.ssml import Abilities
from avatarlab_ops.script import Script, sentences

CSV = "word,ipa,say,language\nNguyen,ˈwɪn,,en\nsql,,sequel,\nNew York,nˈu jˈɔɹk,,\nhola,ˈola,,es\n"


def spoken(text: str, content: str = CSV, **how: str) -> Script:
    return sentences(text, lexicon=parse(content.encode()), **how)


def test_a_word_is_said_as_the_lexicon_says() -> None:
    (sentence,) = spoken("Nguyen's SQL, in New York.").sentences
    assert sentence.text == "Nguyen's SQL, in New York.", "captions show what is written"
    assert sentence.said == "Nguyen's sequel, in New York."
    assert sentence.sounds == ((0, "wˈɪn"), (3, "nˈu"), (4, "jˈɔɹk"))


PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa" xml:lang="en">
  <meta name="made" content="by hand"/>
  <lexeme><grapheme>Nguyen</grapheme><grapheme>Nguyễn</grapheme>
    <phoneme>ŋwiːn</phoneme><phoneme prefer="true">ˈwɪn</phoneme></lexeme>
  <lexeme><grapheme>sql</grapheme><alias>sequel</alias></lexeme>
</lexicon>"""


def test_a_pls_lexicon_says_the_preferred_sounds_or_the_alias() -> None:
    (sentence,) = spoken("Nguyen's SQL and Nguyễn.", PLS).sentences
    assert sentence.said == "Nguyen's sequel and Nguyễn."
    assert sentence.sounds == ((0, "wˈɪn"), (3, "wˈɪn"))
    spanish = parse(PLS.replace('"en"', '"es"').encode())
    assert sentences("Hola Nguyen.", lexicon=spanish).sentences[0].sounds == ()


@pytest.mark.parametrize("first", ['alphabet="x-sampa">N', 'alphabet="x-sampa" prefer="true">N'])
@pytest.mark.parametrize("other", ['<phoneme alphabet="IPA">ˈwɪn</phoneme>', "<alias>win</alias>"])
def test_a_pls_lexeme_with_another_way_than_an_unknown_alphabet_is_taken(first: str, other: str) -> None:
    ways = '<phoneme>ŋwiːn</phoneme><phoneme prefer="true">ˈwɪn</phoneme>'
    (entry, *_) = parse(PLS.replace(ways, f"<phoneme {first}</phoneme>{other}").encode())
    assert (entry.ipa or entry.say) in ("ˈwɪn", "win")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("lexicon version", "lexikon version"), "mismatched tag"),
        (("pronunciation-lexicon", "x"), "line 2: is not PLS"),
        ((' xml:lang="en"', ""), "line 2: <lexicon> needs xml:lang"),
        (('alphabet="ipa"', 'alphabet="x-sampa"'), "line 5: the alphabet 'x-sampa' is not known, only ipa"),
        (("<grapheme>sql</grapheme>", ""), "line 6: <lexeme> has no <grapheme>"),
        (("<alias>sequel</alias>", ""), "line 6: 'sql' has neither ipa nor say"),
        (("ˈwɪn", "ˈw%n"), "line 4: 'ˈw%n'"),
        (("<lexicon", '<!DOCTYPE l [<!ENTITY a "b">]><lexicon'), "line 2: a document type is not allowed"),
    ],
)
def test_what_is_wrong_with_a_pls_lexicon_is_told_with_its_line(change: tuple[str, str], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        spoken("Nguyen.", PLS.replace(*change))


def test_a_lexicon_of_nothing_but_elements_is_refused_before_it_fills_memory() -> None:
    with pytest.raises(RequestInvalid, match="more than 20,000 elements"):
        parse(PLS.replace("<lexeme>", "<a/>" * 20_000 + "<lexeme>", 1).encode())


def test_only_whole_words_as_they_are_written() -> None:
    (sentence,) = spoken("The nguyen of MySQL and sqlite.").sentences
    assert (sentence.said, sentence.sounds) == ("", ())


def test_capitals_that_end_a_word_and_numbers_beside_it_are_read_as_ever() -> None:
    first, second = spoken("He met Nguyen. SQL has 5 parts.").sentences
    assert (first.text, second.said) == ("He met Nguyen.", "sequel has five parts.")


def test_an_entry_of_another_language_is_not_for_this_script() -> None:
    script = spoken("Hola Nguyen, SQL.")
    assert script.sentences[0].sounds == ((1, "wˈɪn"),)
    assert script.warnings == ("lexicon: never in the script: New York",)


def test_a_voice_that_takes_no_ipa_says_the_other_words_or_is_told_of() -> None:
    content = "word;ipa;say\nNguyen;ˈwɪn;win\nXhosa;ˈkɔsə;\n"
    script = spoken("Nguyen speaks Xhosa.", content, engine="small_e")
    assert script.sentences[0].said == "win speaks Xhosa."
    assert script.warnings == ("lexicon: this voice takes no IPA; read as usual: Xhosa",)


def test_what_ssml_says_goes_before() -> None:
    text = 'Our <sub alias="query language">SQL</sub> and SQL.'
    (sentence,) = spoken(text, script_format="ssml").sentences
    assert sentence.said == "Our query language and sequel."


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "line 1: must name the columns word"),
        ("word,language\nx,en\n", "line 1: must name"),
        ("word,ipa,hint\nx,a,b\n", "line 1: must name"),
        ("word,ipa\n", "no entry"),
        ("word,ipa\nx,\n", "line 2: 'x' has neither ipa nor say"),
        ("word,ipa\n...,a\n", "line 2: has no word"),
        ("word,ipa\nx,a b\n", "line 2: 2 words of IPA for the 1 of 'x'"),
        ("word,ipa\nx,a\ny,b\nx,c\n", "line 4: 'x' was given on line 2"),
        ("word,say,language\nx,a,Spanish\n", "line 2: language 'Spanish' is not a BCP 47 tag"),
        ("word,say\nx,a,b\n", "line 2: has more cells"),
        ("word,say\nx\0y,why\n", r"line 2: holds the control character U\+0000"),
        ("word,say\nx,a\x1b[2J\n", r"line 2: holds the control character U\+001B"),
        ("word,say\nx,a\n\u202ey,b\n", r"line 3: holds the control character U\+202E"),
        (f"word,say\nx,{'a' * 201}\n", "line 2: a cell has more than 200"),
        ('word,say\nx,"a\n', "is not CSV"),
        ("word,say\nx,\ny,\n", "line 2: .*; line 3: "),
        ("word,say\n" + "".join(f"x{n},a\n" for n in range(5001)), "5,001 entries, at most 5,000"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(content: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=f"lexicon: .*{said}"):
        parse(content.encode())


def test_another_encoding_is_told_with_its_line() -> None:
    with pytest.raises(RequestInvalid, match="line 2: byte 11 is not UTF-8"):
        parse("word,say\nñ,a\n".encode("latin-1").replace(b"\xf1", b"a\xf1"))


def test_a_letter_that_is_no_sound_is_told_with_its_line_whether_or_not_the_word_occurs() -> None:
    with pytest.raises(RequestInvalid, match=r"lexicon: line 2: 'Ω#': 'Ω' is not a sound of IPA"):
        spoken("Nothing of it.", "word,ipa\nx,Ω#\n")


@pytest.mark.parametrize("header", ['word"x",say', '"word"x,say'])
def test_a_header_that_is_no_csv_is_refused_with_its_line(header: str) -> None:
    with pytest.raises(RequestInvalid, match="line 1"):
        parse(f"{header}\nsql,sequel\n".encode())


def test_letters_that_unicode_takes_for_others_find_their_entry() -> None:
    (sentence,) = spoken("Learn \u017fql now.").sentences
    assert sentence.said == "Learn sequel now."


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("我爱重庆和北京。", "zh", "我爱 chong qing 和北京。"),
        ("私は東京に住んでいます。", "ja", "私は tou kyou に住んでいます。"),
        ("私はOpenAIが好き。", "ja", "私は open ey eye が好き。"),
        ("私はOpenAIsが好き。", "ja", ""),
    ],
)
def test_a_word_is_found_where_no_spaces_are_written(text: str, language: str, said: str) -> None:
    content = "word,say\n重庆,chong qing\n東京,tou kyou\nOpenAI,open ey eye\n"
    words = Lexicon(parse(content.encode()), language, Abilities((), lambda ipa, _: ipa))
    pieces = words.marked([Piece(text)])
    found = " ".join(piece.said or piece.text for piece in pieces) if len(pieces) > 1 else ""
    assert found == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Mail sql@example.com now.", "Mail S Q L at example dot com now."),
        ("See www.sql.com/sql or sql.", "See W W W dot S Q L dot com slash S Q L or sequel."),
        ("Use Node.js, sql.", "Use node jay ess, sequel."),
    ],
)
def test_an_address_that_holds_a_word_is_read_as_an_address(text: str, said: str) -> None:
    (sentence,) = spoken(text, "word,say\nsql,sequel\nNode.js,node jay ess\n").sentences
    assert sentence.said == said


@pytest.mark.parametrize("order", [("en-US,see quill", "en,sequel"), ("en,sequel", "en-US,see quill")])
def test_the_entry_for_the_closest_language_wins_wherever_it_stands(order: tuple[str, str]) -> None:
    rows = "".join(f"sql,{one.split(',')[1]},{one.split(',')[0]}\n" for one in order)
    (sentence,) = spoken("SQL.", f"word,say,language\n{rows}").sentences
    assert sentence.said == "see quill."


def test_a_language_may_be_written_in_any_case_or_for_a_part_of_the_world() -> None:
    found = parse(b"word,say,language\na,b,EN\na,b,en-us\na,b,es-419\n")
    assert [entry.language for entry in found] == ["en", "en-US", "es-419"]
    (sentence,) = spoken("Nguyen.", PLS.replace('"en"', '"EN-us"')).sentences
    assert sentence.sounds


def test_a_lexicon_for_other_languages_alone_is_told() -> None:
    found = spoken("The house.", "word,say,language\nhouse,x,fr\nhouse,y,de\n")
    assert found.warnings == ("lexicon: no word of it is for en-US, only for de, fr",)


@pytest.mark.parametrize(
    "content",
    ["sep=;\nword;say\nsql;sequel\n", "\ufeffWord,IPA,Say\r\nsql,,sequel\r\n,,\r\n"],
)
def test_a_file_is_taken_as_a_spreadsheet_writes_it(content: str) -> None:
    assert is_header(content.encode())
    (sentence,) = spoken("Use SQL.", content).sentences
    assert sentence.said == "Use sequel."


def test_a_spreadsheets_utf_16_is_told_and_a_line_is_counted_from_the_files_first() -> None:
    with pytest.raises(RequestInvalid, match="line 1: the file is UTF-16; save it as UTF-8"):
        parse("word\tsay\nsql\tsequel\n".encode("utf-16"))
    with pytest.raises(RequestInvalid, match="line 3: 'sql' has neither"):
        parse(b"sep=;\nword;say\nsql;\n")


@pytest.mark.parametrize("written", ["e-learning", "e\u2011learning", "E\u2010Learning", "п\u02bcять"])
def test_a_word_is_found_with_any_hyphen_and_apostrophe(written: str) -> None:
    language = "uk" if written[0] == "п" else "en-US"
    entries = parse("word,say\ne-learning,one\nп'ять,one\n".encode())
    words = Lexicon(entries, language, Abilities((), lambda sounds, _: sounds))
    assert [piece.said for piece in words.marked([Piece(written)]) if piece.said] == ["one"]


def test_a_cell_in_quotes_may_go_on_in_the_next_line() -> None:
    first, second = parse(b'word,say\n"New\nYork",nu york\nsql,sequel\n')
    assert (first.word, second.line) == ("New York", 4)


def test_of_homographs_in_a_pls_lexicon_the_first_is_said_and_a_preferred_alias_before_sounds() -> None:
    lexemes = (
        "<lexeme role='verb'><grapheme>read</grapheme><phoneme>riːd</phoneme></lexeme>"
        "<lexeme><grapheme>read</grapheme><phoneme>ɹɛd</phoneme></lexeme>"
        "<lexeme><grapheme>sql</grapheme><phoneme>ɹɛd</phoneme><alias prefer='true'>sequel</alias></lexeme>"
    )
    found = parse((PLS[: PLS.index("<meta")] + lexemes + "</lexicon>").encode())
    assert [(one.word, one.ipa, one.say) for one in found] == [("read", "ɹɛd", ""), ("sql", "", "sequel")]


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("3M", "$3M"), ("3M", "€3M"), ("3M", "1.3M"), ("5G", "2.5G"), ("365", "3.365"), ("365", "1,365"),
        ("v2", "v2.1"), ("365", "365.25"), ("3M", "$ 3M"), ("3M", "£\u00a03M"), ("3M", "3M$"), ("3M", "3M €"),
        ("365", "365,24"), ("iOS 17", "iOS 17.5"),
    ],
)  # fmt: skip
def test_no_piece_of_a_number_is_a_word_of_the_lexicon(word: str, text: str) -> None:
    found = spoken(f"It is {text}.", f"word,say\n{word},other\n")
    assert "other" not in found.sentences[0].spoken
    assert f"lexicon: never in the script: {word}" in found.warnings


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("3M", "3M."), ("3M", "(3M)"), ("5G", "4G/5G"), ("365", "Office 365, too"), ("v2", "v2."),
        ("3M", "3M-like"), ("$3M", "$3M"), ("C3", "C3, C4"), ("3M", "3M $5 tape"), ("M365", "M365.5"),
        ("Office 365", "Office 365,24 users"),
    ],
)  # fmt: skip
def test_a_word_with_figures_is_found_beside_other_marks(word: str, text: str) -> None:
    assert "other" in spoken(f"It is {text}.", f"word,say\n{word},other\n").sentences[0].spoken


def test_a_sign_after_a_word_of_the_lexicon_is_told_at_its_place_in_the_sentence() -> None:
    (warning,) = (one for one in spoken("The SQL server has ★ a star.").warnings if "★" in one)
    assert warning.startswith("'★' (black star) at character 20 of 'The SQL server has ★ a star.'")
