"""Script text to sentences."""

# ruff: noqa: RUF001  (typographic and foreign characters are the subject)

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops import script
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.reading import marked
from avatarlab_ops.reading.lexicon import Entry, parse
from avatarlab_ops.reading.marked import Piece, Run


def texts(source: str) -> list[str]:
    return [sentence.text for sentence in script.sentences(source).sentences]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Smith met Mrs. Jones. They spoke.", ["Dr. Smith met Mrs. Jones.", "They spoke."]),
        ("It grew 3.5% to $1.50. Good.", ["It grew 3.5% to $1.50.", "Good."]),
        ("It ended at 3. Then we left.", ["It ended at 3.", "Then we left."]),
        ('"Stop!" he said. "Why?" She left.', ['"Stop!" he said.', '"Why?"', "She left."]),
        ("“I know.” He smiled.", ["“I know.”", "He smiled."]),
        ("Wait... what? Wait... No.", ["Wait... what?", "Wait...", "No."]),
        ("Well… maybe. Well… Fine.", ["Well… maybe.", "Well…", "Fine."]),
        ("J. K. Rowling wrote it. So did I. Really.", ["J. K. Rowling wrote it.", "So did I.", "Really."]),
        ("The U.S. Army. In the U.S. The law is.", ["The U.S. Army.", "In the U.S.", "The law is."]),
        ("At 5 p.m. Monday see Fig. 2. Or no. Ok.", ["At 5 p.m. Monday see Fig. 2.", "Or no.", "Ok."]),
        ("Fruit, e.g. Apples, i.e. Food. Ok.", ["Fruit, e.g. Apples, i.e. Food.", "Ok."]),
        ("1. First thing. 2. Second thing.", ["1. First thing.", "2. Second thing."]),
        ("A line that an editor\nwrapped here. End.", ["A line that an editor wrapped here.", "End."]),
        ("Welcome\nToday we begin", ["Welcome", "Today we begin"]),
        ("Visit example.com now. Bye.", ["Visit example.com now.", "Bye."]),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_ends_them(source: str, expected: list[str]) -> None:
    assert texts(source) == expected


def test_pauses_grow_from_clause_to_sentence_to_paragraph() -> None:
    clause = "And then one more thing happened, " * 20
    pauses = [s.pause_s for s in script.sentences(f"Hello. {clause}so we stopped.\n\nNext day.").sentences]
    assert pauses[0] == marked.PAUSE_SENTENCE_S
    assert set(pauses[1:-2]) == {marked.PAUSE_CLAUSE_S}
    assert pauses[-2:] == [marked.PAUSE_PARAGRAPH_S] * 2


def test_parts_keep_their_own_pauses() -> None:
    found = script.sentences([("First. Second.", 2.0), ("Third.", 0.0), ("Fourth.", None)]).sentences
    assert [(s.text, s.pause_s) for s in found] == [
        ("First.", marked.PAUSE_SENTENCE_S),
        ("Second.", 2.0),
        ("Third.", 0.0),
        ("Fourth.", marked.PAUSE_PARAGRAPH_S),
    ]


@pytest.mark.parametrize("pause_s", [-0.1, 10.1, float("nan")])
def test_a_pause_out_of_range_is_refused(pause_s: float) -> None:
    with pytest.raises(ScriptRefused, match="0 to 10 s are allowed"):
        script.sentences([("Hello.", pause_s)])


def test_a_long_sentence_is_cut_at_clauses_and_loses_no_word() -> None:
    source = "we went on, although it rained, " * 40 + "and came home."
    found = texts(source)
    assert all(len(text) <= script.MAX_SENTENCE_CHARS for text in found)
    assert all(text.endswith(",") for text in found[:-1])
    assert " ".join(found).split() == source.split()


@pytest.mark.parametrize("source", ["", "   \n\t ", "...", "—", "?! ;", "🎉🎉", "\u200b"])
def test_nothing_to_speak_is_refused(source: str) -> None:
    with pytest.raises(ScriptRefused, match="no words to speak"):
        script.sentences(source)


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u200e", "\u200f", "\u2060", "\ufeff"])
def test_what_nobody_sees_is_no_part_of_a_word(sign: str) -> None:
    """Soft hyphens, marks of no width, a byte order mark: they come along with copied text."""
    assert texts(f"{sign}Avatar{sign}lab works.") == ["Avatarlab works."]


def test_emoji_are_dropped_and_named() -> None:
    found = script.sentences("Hello 🎉 world 👩‍🚀! Well done 🎉.")
    assert [s.text for s in found.sentences] == ["Hello world!", "Well done."]
    assert found.warnings == (
        "emoji cannot be spoken and were left out: 🎉 (party popper) x2, 👩‍🚀 (woman astronaut)",
    )


@pytest.mark.parametrize("mark", [*'.,;:!?…)]”"»', *"।॥؟،؛。！？"])
def test_an_emoji_leaves_no_space_before_a_mark(mark: str) -> None:
    assert texts(f"Well done 🎉{mark}") == [f"Well done{mark}"]


def test_a_trademark_sign_is_not_an_emoji() -> None:
    assert texts("Avatarlab™ ©️ 2026") == ["Avatarlab™ © 2026"]


def test_a_wordless_part_is_reported() -> None:
    found = script.sentences([("Hello.", None), ("...", None)])
    assert len(found.sentences) == 1
    assert found.warnings == ("a part without words was left out: '...'",)


@pytest.mark.parametrize(
    ("char", "named"),
    [("\x00", "control character U\\+0000"), ("\x1b", "U\\+001B"), ("\x7f", "U\\+007F"),
     ("\u202e", "control character U\\+202E"), ("\ue000", "private-use character U\\+E000"),
     ("\u0378", "unassigned character U\\+0378"), ("\ud800", "control character U\\+D800")],
)  # fmt: skip
def test_control_characters_are_refused_by_name_and_place(char: str, named: str) -> None:
    with pytest.raises(ScriptRefused, match=f"{named} at position 2"):
        script.sentences(f"Hi{char} there")


HEADED = "# First *steps*\nHello there. Come in.\n\n## A second one.\n\nIt ends.\n### No chapter\nBye."


def test_chapters_begin_at_headings_which_are_said() -> None:
    found = script.sentences(HEADED)
    assert [(found.sentences[at].text, title) for at, title in found.chapters] == [
        ("First steps", "First steps"), ("A second one.", "A second one."),
    ]  # fmt: skip
    assert "No chapter" in [sentence.text for sentence in found.sentences]
    assert script.sentences("# Only one\nHello.").chapters == (), "a heading alone is a title"


@pytest.mark.parametrize(
    ("text", "begun"),
    [
        ("## \U0001f680 Launch\nGo.\n## Cafe\u0301 first.\nSit.", ["Launch", "Caf\u00e9 first."]),
        ("# Start\u2028Hello.\n\u2028# End\u2028Bye.", ["Start", "End"]),
        ("# Setup\nIt runs.\n# Setup\nAgain.", ["Setup", "Setup"]),
        ("Setup takes a minute.\n\n## Setup\nGo.\n## Run\nGo.", ["Setup", "Run"]),
        ("- Setup\n- Run\n\n## Setup\nGo.\n## Run\nGo.", ["Setup", "Run"]),
        ("Hi.\n# Dr. No. And yes?\nGo.\n# 2. **Run** [it](x)\nGo.", ["Dr. No.", "2. Run it"]),
    ],
)
def test_a_chapter_begins_where_its_heading_is_said(text: str, begun: list[str]) -> None:
    found = script.sentences(text)
    assert [found.sentences[at].text for at, _ in found.chapters] == begun
    after = [found.sentences[at + 1].text for at, _ in found.chapters]
    assert set(after) <= {"Go.", "Sit.", "Hello.", "Bye.", "It runs.", "Again.", "And yes?"}


def test_a_comment_in_code_begins_no_chapter() -> None:
    code = "```sh\n# Install it\nmake\n```\n"
    found = script.sentences(f"# One\nGo.\n\n{code}\n# Two\nGo.\n\n~~~\n# Three\n")
    assert [title for _, title in found.chapters] == ["One", "Two"]


def test_a_chapter_whose_line_has_no_words_is_told() -> None:
    found = script.sentences([script.Part("Hello."), script.Part("\U0001f680", chapter="Launch")])
    assert any("left out, and the chapter 'Launch' with it" in note for note in found.warnings)


def test_a_heading_in_lower_case_begins_a_chapter_and_a_sentence() -> None:
    found = script.sentences("Hello there\n## iPhone\ngo.\n\n## One\nGo.")
    assert found.chapters == ((1, "iPhone"), (3, "One"))
    assert [sentence.text for sentence in found.sentences] == ["Hello there", "iPhone", "go.", "One", "Go."]


def test_a_heading_that_begins_no_sentence_is_told() -> None:
    text = "Hello there\n## you\ngo.\n\n## One\nGo.\n\n## Two\nGo."
    found = script.sentences(text, lexicon=[Entry(2, "there you", say="you all")])
    assert [title for _, title in found.chapters] == ["One", "Two"]
    assert any("the heading 'you' begins no sentence" in note for note in found.warnings)


def test_a_line_says_which_chapter_it_begins() -> None:
    lines = [
        script.Part("Hello. Come in.", None, "One"),
        script.Part("# Still one"),
        script.Part("Bye.", 0.5, "Two"),
    ]
    found = script.sentences(lines[:1] + lines[2:])
    assert found.chapters == ((0, "One"), (2, "Two"))
    assert script.sentences(lines).chapters == ((0, "One"), (2, "Still one"), (3, "Two"))


def test_size_limits_are_named() -> None:
    with pytest.raises(ScriptRefused, match=r"60001 characters; at most 60000"):
        script.sentences("a " * 30_000 + "a")
    with pytest.raises(ScriptRefused, match=r"1001 parts; at most 1000"):
        script.sentences([("Hi.", None)] * 1001)
    with pytest.raises(ScriptRefused, match=r"101 characters; at most 100"):
        script.sentences("Say " + "x" * 101)


@pytest.mark.parametrize(
    ("source", "named"),
    [("Привет, мир", "Cyrillic"), ("你好世界", "Han"), ("こんにちは", "Hiragana"), ("مرحبا", "Arabic"),
     ("γειά σου", "Greek"), ("नमस्ते", "Devanagari"), ("안녕", "Hangul"), ("שלום", "Hebrew")],
)  # fmt: skip
def test_another_writing_system_is_named_with_the_engines_that_can(source: str, named: str) -> None:
    with pytest.raises(
        ScriptRefused,
        match=rf"written in {named}.*'hibari' speaks only Latin; (no installed|engines that can: kokoro)",
    ):
        script.sentences(f"Hello. {source}")


@pytest.mark.parametrize(
    "source", ["naïve café", "Łódź", "π is 3.14", "5 µm", "ＦＵＬＬ", "𝐁𝐨𝐥𝐝", "the 1ª", "42", "½ cup", "5 m²"]
)
def test_signs_and_accents_are_not_another_writing_system(source: str) -> None:
    assert texts(source) == [source]


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="hibari"):
        script.sentences("Hello", engine="nobody")


PROSE = st.text(alphabet=string.ascii_letters + string.digits + " .,;:!?\"'()-\n…—", max_size=900)


def spoken_or_refused(source: str) -> tuple[list[str], str]:
    """Sentences and the reason of the refusal, of which one is empty."""
    try:
        return texts(source), ""
    except ScriptRefused as refusal:
        return [], str(refusal)


def wordy(text: str) -> list[str]:
    return [word for word in text.split() if any(map(str.isalnum, word))]


@given(PROSE)
def test_no_word_is_lost_or_reordered(source: str) -> None:
    found, refusal = spoken_or_refused(source)
    if refusal:
        assert not wordy(source) or "at most 100" in refusal
    else:
        assert "".join(wordy(" ".join(found))) == "".join(wordy(source))
        assert all(text == text.strip() and len(text) <= script.MAX_SENTENCE_CHARS for text in found)


@given(st.text(max_size=200))
def test_any_text_is_spoken_or_refused(source: str) -> None:
    found, refusal = spoken_or_refused(source)
    assert bool(found) != bool(refusal)
    assert all(wordy(text) for text in found)


def test_a_sentence_keeps_its_spelling_and_tells_how_it_is_said() -> None:
    found = script.sentences("PIN **0042** ★ costs $5. Plain.")
    assert [(s.text, s.said) for s in found.sentences] == [
        ("PIN 0042 ★ costs $5.", "PIN zero zero four two costs five dollars."),
        ("Plain.", ""),
    ]
    assert {s.language for s in found.sentences} == {""}, "none but the script's own"
    assert found.warnings == (
        "markup is not spoken and was left out: ** … **",
        "'★' (black star) at character 10 of 'PIN 0042 ★ costs $5.' cannot be said and is left out",
    )


def test_a_listener_hears_a_breath_a_stop_and_a_new_thought() -> None:
    """Between clauses, sentences and paragraphs, in seconds: every video would change with them."""
    long = "It went on and on, " * 20
    heard = script.sentences(f"{long}until it stopped. So be it.\n\nNext.").sentences
    assert {s.pause_s for s in heard[:-3]} == {0.15}
    assert [s.pause_s for s in heard[-3:]] == [0.35, 0.7, 0.7]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_a_line_ends_by_any_of_unicodes_separators(end: str) -> None:
    assert texts(f"Welcome{end}Today we begin") == ["Welcome", "Today we begin"]


def test_a_long_sentence_without_clauses_is_cut_between_words_as_late_as_may_be() -> None:
    found = texts("Well, " + "word " * 100 + "end.")
    assert found[0].startswith("Well, word")  # so early a comma would leave a breath after one word
    assert all(290 < len(text) <= 300 for text in found[:-1])
    longer = "nothing " * 90 + "less."
    assert " ".join(texts(longer)) == longer


def test_what_marks_ask_for_is_kept_beside_what_is_written() -> None:
    source = (
        '<speak>The <sub alias="World Wide Web Consortium">W3C</sub> and <sub alias="kilo">k</sub>.'
        '<break time="1200ms"/></speak>'
    )
    [heard] = script.sentences(source, script_format="ssml").sentences
    assert (heard.text, heard.pause_s) == ("The W3C and k.", 1.2)
    assert heard.said == "The World Wide Web Consortium and kilo."


def test_a_mark_s_pause_follows_the_last_sentence_before_it() -> None:
    found = script.sentences('One. Two. <break time="2s"/> Three.', script_format="ssml").sentences
    pauses = [sentence.pause_s for sentence in found]
    assert pauses[1] == 2.0
    assert pauses[0] < pauses[2] < 2.0


def test_a_mark_around_more_than_a_breath_is_refused() -> None:
    """It cannot be cut; its words ran into one another."""
    long = '<sub alias="short">' + "word " * 80 + "</sub> and an end."
    with pytest.raises(ScriptRefused, match=r"holds \d+ characters; fewer than 298"):
        script.sentences(long, script_format="ssml")
    [before, marked] = script.sentences(
        "Now " * 30 + '<sub alias="short">' + "word " * 50 + "</sub>.", script_format="ssml"
    ).sentences
    assert (before.said, marked.said) == ("", "short.")


def test_a_part_in_another_language_is_spoken_in_the_engines_own_name_of_it() -> None:
    """As <lang> asks; no engine that every checkout has speaks two."""
    part = Run((Piece("Hello."),), language="en")
    assert script._spoken_in(part, "hibari", "de", []) == "en-US"
    with pytest.raises(ScriptRefused, match="<lang> asks for 'fr', and hibari speaks en-US"):
        script._spoken_in(replace(part, language="fr"), "hibari", "en-US", [])


def test_a_danda_ends_a_hindi_sentence() -> None:
    assert script.split("नमस्ते, स्वागत है। आज धूप है।") == ["नमस्ते, स्वागत है।", "आज धूप है।"]


def test_a_text_without_spaces_is_no_long_word_and_is_cut_at_its_commas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(script.writing, "check", lambda *_: None)  # no engine here may read it
    text = "我们的新系统可以说很多种语言，" * 30 + "谢谢。"
    found = script.sentences(text, language="zh").sentences
    assert "".join(one.text for one in found) == text
    assert all(len(one.text) <= script.MAX_SENTENCE_CHARS for one in found)
    assert all(one.text[-1] in "，。" for one in found)
    found = script.sentences("很" * 700, language="zh").sentences
    assert [len(one.text) for one in found] == [300, 300, 100]


def test_what_lies_at_a_limit_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = script.sentences([("First.", 0.0), ("Second.", 10.0)]).sentences
    assert [one.pause_s for one in found] == [0.0, 10.0]
    assert len(texts("Say " + "x" * 100)) == 1
    assert len(script.sentences([("Hi.", None)] * 1_000).sentences) == 1_000
    monkeypatch.setattr(script, "MAX_SCRIPT_CHARACTERS", 10)
    assert texts("Ten signs.") == ["Ten signs."]
    with pytest.raises(ScriptRefused, match=r"a pause of 11 s was asked for; 0 to 10 s are allowed"):
        script.sentences([("Hi.", 11)])


def test_a_sentence_of_300_characters_is_one_breath_and_a_longer_one_is_cut_late() -> None:
    whole = "word " * 58 + "and ended."
    assert len(whole) == 300
    assert texts(whole) == [whole]
    first, rest = texts("w" + whole)
    assert (len(first), rest) == (294, "ended.")
    clauses = "we went on, although it rained, " * 20 + "and came home."
    assert [len(one) for one in texts(clauses)] == [299, 287, 66]


@pytest.mark.parametrize(("comma_at", "length"), [(74, 299), (75, 75)])
def test_a_clause_shorter_than_a_quarter_of_a_breath_is_no_place_to_cut(comma_at: int, length: int) -> None:
    source = f"{'a' * 10} {'a' * (comma_at - 12)}, {'bb c ' * 80}end."
    assert source[comma_at - 1] == ","
    assert len(texts(source)[0]) == pytest.approx(length, abs=3)


def test_a_greek_word_of_two_letters_is_no_symbol() -> None:
    with pytest.raises(ScriptRefused, match="written in Greek"):
        script.sentences("Say το twice.")
    assert texts("ΔT = 5 K, 3 μs, 10 kΩ.") == ["ΔT = 5 K, 3 μs, 10 kΩ."]


def test_several_foreign_writings_are_named_the_most_frequent_first() -> None:
    with pytest.raises(ScriptRefused, match="written in Cyrillic, Hebrew and Han, but"):
        script.sentences("Hello. Привет, мир. שלום שלום. 你好")


def test_a_refusal_quotes_no_more_than_the_beginning() -> None:
    long = "abcdefghij" * 11
    with pytest.raises(ScriptRefused, match=f"the word '{long[:30]}'\\.\\.\\. has 110 characters"):
        script.sentences(long)
    found = script.sentences([("Hello.", None), ("." * 50, None)])
    assert found.warnings == (f"a part without words was left out: {'.' * 40!r}",)
    sentence = "★ " + "and so it went on for ever and ever " * 3
    [warning] = script.sentences(sentence).warnings
    assert warning == f"'★' (black star) at character 1 of {sentence[:60]!r} cannot be said and is left out"
    marked = f'<sub alias="short">{"word " * 80}</sub>'
    with pytest.raises(ScriptRefused, match=f"the mark around '{('word ' * 7)[:30]}'\\.\\.\\. holds"):
        script.sentences(marked, script_format="ssml")


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        ('Yes. <sub alias="arrow">→</sub> <sub alias="star">★</sub>', ["", "arrow star"]),
        ('<sub alias="one">→</sub>.<break time="1s"/><sub alias="two">★</sub>', ["one.", "two"]),
    ],
)
def test_a_sign_with_a_mark_is_spoken_wherever_it_stands(marked: str, said: list[str]) -> None:
    found = script.sentences(f"<speak>{marked}</speak>", script_format="ssml").sentences
    assert [one.said for one in found] == said


def test_a_german_date_and_a_name_after_herr_end_no_sentence() -> None:
    assert script.split("Am 3. März kam Hr. Meier. Es schneite.", "de") == [
        "Am 3. März kam Hr. Meier.",
        "Es schneite.",
    ]
    assert script.split("Wir trafen uns am 3. Wir gingen.", "de-DE") == [
        "Wir trafen uns am 3.",
        "Wir gingen.",
    ]
    assert script.split("It took 1 hr. Then we left. See the 3. Point.", "en-US") == [
        "It took 1 hr.",
        "Then we left.",
        "See the 3.",
        "Point.",
    ]
    assert script.split("Das gilt z. B. Montags. Ja.", "de") == ["Das gilt z. B. Montags.", "Ja."]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("He said no. 5 was it. Ok.", ["He said no. 5 was it.", "Ok."]),
        ("He said no. We left.", ["He said no.", "We left."]),
        ("See vol. 3, pp. 7. End.", ["See vol. 3, pp. 7.", "End."]),
        ("It was I. We knew.", ["It was I.", "We knew."]),
        ("(See Dr. Lee.) She knows.", ["(See Dr. Lee.)", "She knows."]),
        ("Well.. Then. No.", ["Well..", "Then.", "No."]),
        ("Is he a Dr? Yes. Plan B! Go.", ["Is he a Dr?", "Yes.", "Plan B!", "Go."]),
        ("The U.S. Bank. The U.S. A bank.", ["The U.S. Bank.", "The U.S.", "A bank."]),
    ],
)
def test_a_full_stop_after_a_short_form_ends_a_sentence_only_where_one_begins(
    source: str, expected: list[str]
) -> None:
    assert script.split(source) == expected


def test_a_script_that_takes_longer_than_an_hour_and_a_half_is_refused_before_anything_is_made() -> None:
    with pytest.raises(ScriptRefused, match="takes about 104 minutes to say, with its pauses; at most 90"):
        script.sentences([("Wait.", 10.0)] * 600)
    assert script.sentences([("Wait.", 10.0)] * 500).sentences


def test_chinese_takes_three_times_as_long_a_character() -> None:
    chinese, english = Sentence("我们", 0.0), Sentence("we", 0.0)
    assert 3 < script.expected_s([chinese]) / script.expected_s([english]) < 3.5


def test_what_a_lexicon_says_and_a_slower_rate_count_in_the_length() -> None:
    words = parse(f"word,say\na,{'la la ' * 30}\n".encode())
    with pytest.raises(ScriptRefused, match=r"takes about .* minutes to say"):
        script.sentences("a " * 600 + "b", lexicon=words)
    slow = f"<prosody rate='50%'>{'Slow words here. ' * 2_500}</prosody>"
    with pytest.raises(ScriptRefused, match=r"takes about .* minutes to say"):
        script.sentences(slow, script_format="ssml")
