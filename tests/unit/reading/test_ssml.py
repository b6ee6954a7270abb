"""Marks in a script: what each asks of the voice, what is told, what is refused."""

# ruff: noqa: RUF001  (IPA letters)

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops import script
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.engines.speech import ipa
from avatarlab_ops.errors import ScriptRefused
from avatarlab_ops.reading import marked, say_as, ssml
from avatarlab_ops.reading.lexicon import parse


def sentences(source: str) -> tuple[Sentence, ...]:
    return script.sentences(source, script_format="ssml").sentences


def warnings(source: str, engine: str = "hibari") -> str:
    return "\n".join(script.sentences(source, script_format="ssml", engine=engine).warnings)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Ask the <sub alias='World Wide Web'>WWW</sub>.", "Ask the World Wide Web."),
        ("(<sub alias='Doctor'>Dr.</sub> No) paid $20.", "(Doctor No) paid twenty dollars."),
        ("PIN <say-as interpret-as='digits'>2026</say-as>!", "PIN two zero two six!"),
        ("Type <say-as interpret-as='characters'>a1-b</say-as>.", "Type A one dash B."),
        ("The <say-as interpret-as='ordinal'>3</say-as> of <say-as interpret-as='cardinal'>1,200</say-as>.",
         "The third of one thousand two hundred."),
        ("Call <say-as interpret-as='telephone'>+1 555</say-as> now.", "Call plus one five five five now."),
        ("Call <say-as interpret-as='telephone'>+49 (0)30</say-as>.", "Call plus four nine zero three zero."),
        ("Since <say-as interpret-as='date'>2026-05-03</say-as>.", "Since May third, twenty twenty-six."),
        ("On <say-as interpret-as='date' format='dmy'>3/5/2026</say-as>.",
         "On May third, twenty twenty-six."),
        ("On <say-as interpret-as='date' format='mdy'>3/5/26</say-as>.",
         "On March fifth, twenty twenty-six."),
        ("On <say-as interpret-as='date' format='ymd'>2026.5.3</say-as>.",
         "On May third, twenty twenty-six."),
        ("On <say-as interpret-as='date' format='dm'>3/5</say-as>.", "On May third."),
        ("On <say-as interpret-as='date' format='dm'>29/2</say-as>.", "On February twenty-ninth."),
        ("Type <say-as interpret-as='Characters'>ab</say-as>.", "Type A B."),
        ("It is 5<sub alias='kilograms'>kg</sub>, $<sub alias='five'>5</sub>.",
         "It is five kilograms, dollar five."),
        ("<sub alias='five'>5</sub>kg of <sub alias='sugar'>cane</sub>'s <sub alias='re'>un</sub>do.",
         "five kg of sugar's redo."),
        ("Go <sub alias='5 km/h, see sql@ab.com'>on</sub>.",
         "Go five kilometers per hour, see S Q L at A B dot com."),
        ("Q&amp;A &lt; five", "Q and A less than five"),
        ("Not **bold** here: <mark/>now.", None),
    ],
)  # fmt: skip
def test_words_are_said_as_the_marks_ask(source: str, said: str | None) -> None:
    (sentence,) = sentences(source)
    assert said is None or sentence.spoken == said


def test_captions_keep_what_is_written() -> None:
    (sentence,) = sentences("<speak>The <sub alias='World Wide Web'>W W W</sub>’s rules.</speak>")
    assert (sentence.text, sentence.spoken) == ("The W W W’s rules.", "The World Wide Web’s rules.")


def test_a_phoneme_gives_the_sounds_of_its_word_alone() -> None:
    (sentence,) = sentences(
        "For $20 I (<phoneme ph='ɹɛd'>read</phoneme>) it, you <phoneme ph='riːd'>read</phoneme>."
    )
    words = sentence.spoken.split()
    assert [(words[at], sounds) for at, sounds in sentence.sounds] == [
        ("(read)", "ɹɛd"),
        ("read.", "ɹiːd"),
    ]


def test_breaks_and_paragraphs_are_silences() -> None:
    found = sentences(
        "One<break time='1.5s'/> two <break strength='weak'/><break time='250ms'/>three. <p>Four.</p>"
    )
    assert [(one.text, one.pause_s) for one in found] == [
        ("One", 1.5), ("two", 0.4), ("three.", marked.PAUSE_PARAGRAPH_S), ("Four.", marked.PAUSE_PARAGRAPH_S),
    ]  # fmt: skip


def test_a_rate_holds_for_its_words_and_multiplies() -> None:
    found = sentences(
        "Before. <prosody rate='90%'>Slow <prosody rate='x-slow'>slower</prosody>.</prosody> After."
    )
    assert [(one.text, one.rate) for one in found] == [
        ("Before.", 1.0), ("Slow", 0.9), ("slower.", 0.54), ("After.", 1.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "rate"),
    [("+10.00%", 1.1), ("-10%", 0.9), ("+0.00%", 1.0), ("0%", 1.0), ("0.9", 0.9), ("80%", 0.8)],
)
def test_a_rate_may_be_a_share_a_change_or_a_factor(given: str, rate: float) -> None:
    assert [one.rate for one in sentences(f"<prosody rate='{given}'>One.</prosody>")] == [rate]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("<voice name='a'>Hi there</voice><voice name='b'>Hello</voice>", ["Hi there", "Hello"]),
        (
            "<amazon:effect name='x'>Secret.</amazon:effect><amazon:domain name='y'>Go</amazon:domain>, now.",
            ["Secret.", "Go, now."],
        ),
        ("<w>read</w>ing <mark name='x'/>it (<voice>me</voice>).", ["reading it (me)."]),
    ],
)
def test_elements_that_are_not_done_run_no_sentences_together(source: str, said: list[str]) -> None:
    assert [one.text for one in sentences(source)] == said


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("One.\n<voice>Two</voice>.", "line 2: <voice> is not done"),
        ("<audio src='x'>One.</audio>", "line 1: <audio>"),
        ("<prosody pitch='high' rate='fast'>One.</prosody>", "<prosody pitch> is not done"),
        ("\n\nA <lang xml:lang='fr'>mot</lang>.", "line 3: <lang>"),
        ("A <phoneme alphabet='x-sampa' ph='mo'>mot</phoneme>.", "'x-sampa'"),
        ("A <say-as interpret-as='music'>mot</say-as>.", "cannot read 'mot' as 'music'"),
        (
            "\n<say-as interpret-as='date' format='my'>3/2026</say-as>",
            "line 2: <say-as format='my'> is not done",
        ),
        ("<say-as interpret-as='date' format='dmy'>31/31/2026</say-as>", "format='dmy'> is not done for"),
        ("<say-as interpret-as='date' format='mdy'>2/31/2020</say-as>", "format='mdy'> is not done for"),
        ("<say-as interpret-as='time' format='hms12'>3:05</say-as>", "format='hms12'> is not done for"),
        ("<say-as interpret-as='digits' detail='1'>3</say-as>", "<say-as detail='1'> is not done"),
        (
            "<speak xml:lang='de'>One.</speak>",
            "line 1: <speak xml:lang='de'> is not done; the script's language",
        ),
        ("A. <p xml:lang='fr'>One.</p>", "<p xml:lang='fr'> is not done"),
        ("<break/>One.", "<break> before the first word"),
        ("One.\n<phoneme ph='wɪn'/>", "line 2: <phoneme> holds no words"),
        ("One. <sub alias='two'> </sub>", "line 1: <sub> holds no words"),
    ],
)
def test_what_is_not_done_is_told_with_its_place(source: str, told: str) -> None:
    assert told in warnings(source)


@pytest.mark.parametrize("alphabet", ["ipa", "IPA", " Ipa "])
def test_the_name_of_the_alphabet_is_taken_in_any_case(alphabet: str) -> None:
    found = script.sentences(
        f"A <phoneme alphabet='{alphabet}' ph='wɪn'>mot</phoneme>.", script_format="ssml"
    )
    assert found.sentences[0].sounds
    assert not found.warnings


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("cardinal", "-5", "minus five"), ("number", "+1,200", "plus one thousand two hundred"),
        ("cardinal", "\u22125", "minus five"),
    ],
)  # fmt: skip
def test_a_cardinal_with_a_sign_is_read_and_nothing_is_told(kind: str, text: str, said: str) -> None:
    found = script.sentences(f"<say-as interpret-as='{kind}'>{text}</say-as>", script_format="ssml")
    assert found.sentences[0].spoken == said
    assert not found.warnings


def test_the_sign_of_a_cardinal_stands_apart_only_in_languages_with_spaces() -> None:
    assert say_as.said("cardinal", "-5", "zh") == "负五"
    assert say_as.said("cardinal", "+5", "ja") == "プラス五"
    assert say_as.said("cardinal", "-5", "de") == "minus fünf"


def test_the_frame_of_a_usual_document_tells_nothing() -> None:
    frame = "version='1.1' xmlns='http://www.w3.org/2001/10/synthesis' xml:lang='en-GB'"
    assert warnings(f"<speak {frame}><p xml:lang='en'>One.</p></speak>") == ""


def test_a_break_within_a_rate_keeps_the_rate_on_both_sides() -> None:
    found = sentences("<prosody rate='90%'>Slow<break time='1s'/> still</prosody>. Quick.")
    assert [(one.text, one.rate) for one in found] == [("Slow", 0.9), ("still.", 0.9), ("Quick.", 1.0)]
    assert found[0].pause_s == 1.0
    assert found[1].pause_s == pytest.approx(marked.PAUSE_SENTENCE_S)


def test_a_full_stop_after_marked_words_is_not_theirs() -> None:
    """A word that is said otherwise keeps what follows it; a run without an end pauses less than one with."""
    found = sentences("<prosody rate='90%'>Slow</prosody> <sub alias='doctor'>Dr</sub>. Quick.")
    assert [one.text for one in found] == ["Slow", "Dr.", "Quick."]
    assert (found[0].pause_s or 0) < marked.PAUSE_SENTENCE_S


def test_an_engine_that_lacks_a_mark_says_so() -> None:
    source = "<prosody rate='slow'>A <phoneme ph='moʊ'>mot</phoneme>.</prosody>"
    assert "nothing that this voice can do" not in warnings(source)
    assert warnings(source, "small_e").count("nothing that this voice can do") == 2


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("One.\n<p>Two.", "line 2"),
        ("This & that", "line 1"),
        ("<speak>One.\n<speak>Two.</speak></speak>", "line 2: <speak>"),
        ('<?xml version="1.0"?><other>One.</other>', "outermost element is <other>"),
        ('<!DOCTYPE s [<!ENTITY a "aaaa">]><speak>&a;</speak>', "line 1"),
        ('<?xml version="1.0"?><!DOCTYPE s [<!ENTITY a "aaaa">]><speak>&a;</speak>', "document type"),
        ("<break time='soon'/>One.", "'soon' was given"),
        ("One.<break time='11s'/>", "at most 10 s"),
        ("<prosody rate='500%'>One.</prosody>", "50% to 200%"),
        ("<prosody rate='+300%'>One.</prosody>", "50% to 200%"),
        ("<prosody rate='+5'>One.</prosody>", "a change such as .10%"),
        ("<emphasis level='loud'>One.</emphasis>", "levels strong, moderate, none, reduced; not 'loud'"),
        ("<phoneme ph='b%d'>bed</phoneme>", "'%' is not a sound"),
        ("<phoneme ph='bɛd tʌb'>bed</phoneme>", "2 words of IPA for the 1"),
        ("<phoneme>bed</phoneme>", "needs the attribute ph"),
        ("<sub alias='x'>a <p>b</p></sub>", "may hold words only"),
        (f"<sub alias='{'1 - ' * 90}'>a</sub>", "at most 300 are allowed"),
        ("<p>" * 25 + "One." + "</p>" * 25, "nested deeper"),
        ("&#xE000; One.", "private-use"),
        ("<speak></speak>", "no words"),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(source: str, reason: str) -> None:
    with pytest.raises(ScriptRefused, match=reason):
        sentences(source)


_PARTS = {
    "word ": "word", "ends. ": "ends", "<sub alias='said'>sub</sub> ": "sub", "<break/>": "",
    "<p>para</p>": "para", "<s>one</s>": "one", "<prosody rate='fast'>quick</prosody>. ": "quick",
    "<phoneme ph='bɛd'>bed</phoneme>, ": "bed",
}  # fmt: skip


@given(st.lists(st.sampled_from(list(_PARTS)), min_size=1))
def test_no_word_is_lost(parts: list[str]) -> None:
    found = sentences("First " + "".join(parts))
    written = " ".join(one.text for one in found).replace(".", "").replace(",", "").split()
    assert written == ["First", *filter(None, (_PARTS[part] for part in parts))]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("cardinal", "1.5", "one point five"), ("cardinal", "3,14", "three point one four"),
        ("number", "1.234,50", "one thousand two hundred thirty-four point five zero"),
        ("ordinal", "1.5", "one point five"), ("cardinal", "9" * 20, " ".join(["nine"] * 20)),
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_read_as_usual_and_told(kind: str, text: str, said: str) -> None:
    """1.5 was once fifteen, and a number too long for words an error of ours."""
    found = script.sentences(f"<say-as interpret-as='{kind}'>{text}</say-as>", script_format="ssml")
    assert found.sentences[0].spoken == said
    assert f"cannot read '{text}' as '{kind}'" in found.warnings[0]


@pytest.mark.parametrize(("kind", "digits"), [("ordinal", 400), ("cardinal", 5_000)])
def test_a_number_of_any_length_is_refused_as_a_word_that_is_too_long(kind: str, digits: int) -> None:
    with pytest.raises(ScriptRefused, match="at most 100 are allowed"):
        sentences(f"<say-as interpret-as='{kind}'>{'7' * digits}</say-as>")


def test_whole_numbers_are_grouped_as_in_their_language() -> None:
    assert say_as.said("cardinal", "1.200", "de") == "eintausendzweihundert"
    assert say_as.said("cardinal", "1 200", "fr") == "mille deux cents"
    assert say_as.said("cardinal", "1,5", "de") is None
    assert say_as.said("cardinal", "1.500", "en-US") is None


def test_ranks_are_said_in_the_languages_that_have_them_and_crash_in_none() -> None:
    assert say_as.said("ordinal", "3", "zh") == "第三"
    assert say_as.said("ordinal", "21", "de") == "einundzwanzigste"
    assert [say_as.said("ordinal", n, code) for code in ("es", "uk") for n in ("0", "9" * 15)] == [None] * 4


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("am ", "dritten Mai"), ("Vom\n", "dritten Mai"), ("Montag, der ", "dritte Mai"),
        ("Heute, ", "dritter Mai"), ("", "dritter Mai"), ("<emphasis>am</emphasis> ", "dritten Mai"),
    ],
)  # fmt: skip
def test_a_german_date_follows_the_word_before_it(before: str, said: str) -> None:
    voice = ssml.Abilities((), ipa.symbols)
    date = "<say-as interpret-as='date' format='dmy'>3.5.2026</say-as>"
    (run,) = ssml.parse(f"{before}{date}.", "de", voice, [])
    assert [piece.said for piece in run.pieces if piece.said] == [f"{said} zweitausendsechsundzwanzig"]


def test_in_a_list_of_lines_each_refusal_and_note_names_its_part() -> None:
    with pytest.raises(ScriptRefused, match="not well-formed SSML: part 3, line 2"):
        script.sentences([("One.", None), ("Two.", None), ("\nTom & Jerry.", None)], script_format="ssml")
    with pytest.raises(ScriptRefused, match="SSML, part 2, line 1: <sub>"):
        script.sentences([("One.", None), ("<sub>Two</sub>.", None)], script_format="ssml")
    found = script.sentences([("One.", None), ("<mark/>Two.", None)], script_format="ssml")
    assert "SSML, part 2, line 1: <mark> is not done" in found.warnings[0]


@pytest.mark.parametrize(
    ("first", "pause_s", "wanted_s"),
    [("One.", None, 2.0), ("One.", 0.5, 2.5), ("One.<break time='1s'/>", None, 3.0)],
)
def test_a_break_that_begins_a_line_comes_after_the_line_before(
    first: str, pause_s: float | None, wanted_s: float
) -> None:
    lines = [(first, pause_s), ("", None), ("<break time='2s'/>, Two.", None)]
    found = script.sentences(lines, script_format="ssml")
    assert [one.text for one in found.sentences] == ["One.", ", Two."]
    assert found.sentences[0].pause_s == wanted_s
    assert not any("break" in warning for warning in found.warnings)
    with pytest.raises(ScriptRefused, match="a pause of 12 s between two parts"):
        script.sentences([("One.", 10.0), *lines[1:]], script_format="ssml")


@pytest.mark.parametrize(
    "before", ["<!-- of <speak> -->\n", "\ufeff", "\ufeff <!--a--><!--b--> ", '\ufeff<?xml version="1.0"?>']
)
def test_a_comment_or_a_byte_order_mark_may_stand_before_a_document(before: str) -> None:
    assert [one.text for one in sentences(f"{before}<speak>One.</speak>")] == ["One."]


def test_what_is_about_the_document_is_not_spoken() -> None:
    found = script.sentences(
        "<speak><metadata>By <b>us</b><break time='2s'/></metadata>One <desc>a bell</desc>two.</speak>",
        script_format="ssml",
    )
    assert [one.text for one in found.sentences] == ["One two."]
    assert found.warnings == ()


@pytest.mark.parametrize(
    ("tag", "language", "wanted"),
    [("en", "en-GB", ""), ("EN-gb", "en-GB", ""), ("en-US", "en-GB", "en-US"), ("FR", "en-GB", "fr"),
     ("es-419", "en-GB", "es-419"), ("es", "es", "")],
)  # fmt: skip
def test_words_in_the_scripts_own_language_stay_in_it(tag: str, language: str, wanted: str) -> None:
    voice = ssml.Abilities(("lang",), lambda ipa, _: ipa)
    runs = ssml.parse(f"<lang xml:lang='{tag}'>One.</lang>", language, voice, [])
    assert [run.language for run in runs] == [wanted]


def test_sounds_are_those_of_the_language_around_them() -> None:
    voice = ssml.Abilities(("lang", "phoneme"), lambda ipa, language: f"{ipa}-{language}")
    ((run),) = ssml.parse("<lang xml:lang='es'><phoneme ph='ra'>ra</phoneme></lang>", "en-US", voice, [])
    assert run.pieces[0].sounds == ("ra-es",)


@pytest.mark.parametrize("alias", ["🙂", "!!!", "…"])
def test_an_alias_without_words_is_told_and_the_written_ones_are_said(alias: str) -> None:
    found = script.sentences(f"One <sub alias='{alias}'>two</sub>.", script_format="ssml")
    assert found.sentences[0].spoken == "One two."
    assert f"'{alias}', said for 'two', holds no word" in "\n".join(found.warnings)


@pytest.mark.parametrize(
    ("alias", "reason"),
    [("Привет", "written in Cyrillic"), ("a\u202eb", "control character"), ("a" * 101, "at most 100")],
)
def test_an_alias_is_held_to_what_a_script_is(alias: str, reason: str) -> None:
    with pytest.raises(ScriptRefused, match=reason):
        sentences(f"One <sub alias='{alias}'>two</sub>.")


def test_letters_that_the_voice_does_not_read_may_be_said_in_others() -> None:
    (sentence,) = sentences("Say <sub alias='nee how'>你好</sub> or <phoneme ph='niˈxau'>你好</phoneme>.")
    assert (sentence.text, sentence.said) == ("Say 你好 or 你好.", "Say nee how or 你好.")


def test_a_letter_and_its_accent_apart_are_one_letter_to_a_lexicon() -> None:
    words = parse("word,say\nCafe\u0301,kafay\nO’Brien,oh bryan\n".encode())
    (sentence,) = script.sentences(
        "The Cafe\u0301 and Caf\u00e9 of O'Brien and O’Brien.", script_format="ssml", lexicon=words
    ).sentences
    assert sentence.said == "The kafay and kafay of oh bryan and oh bryan."


def test_words_with_emphasis_are_said_slower() -> None:
    found = sentences(
        "It is <emphasis>this</emphasis>, <emphasis level='strong'>not that</emphasis>, "
        "<emphasis level='none'>nor</emphasis> that."
    )
    assert [(one.text, one.rate) for one in found] == [
        ("It is", 1.0), ("this,", 0.9), ("not that,", 0.8), ("nor that.", 1.0)
    ]  # fmt: skip
    assert "<emphasis> is nothing that this voice can do" in warnings("<emphasis>One</emphasis>.", "small_e")


def test_emphasis_stays_within_the_bounds_of_a_rate() -> None:
    slow = sentences("<prosody rate='x-slow'>It is <emphasis level='STRONG'>this</emphasis>.</prosody>")
    assert [one.rate for one in slow][:2] == [0.6, 0.5]
    (fast,) = sentences("<prosody rate='200%'>It <emphasis level='reduced'>is</emphasis> so.</prosody>")
    assert fast.rate == 2.0
    (plain,) = sentences("You <emphasis level='none'>may</emphasis> go.")
    assert plain.text == "You may go."


@pytest.mark.parametrize("prefix", ["ssml", "s"])
def test_elements_may_have_a_prefix_that_means_ssml(prefix: str) -> None:
    """Every element was told as unknown, and a break was none."""
    marked = "<speak version='1.1'>One <break time='2s'/>two <sub alias='three'>3</sub>.</speak>"
    named = marked.replace("<", f"<{prefix}:").replace(f"<{prefix}:/", f"</{prefix}:")
    named = named.replace("speak version", f"speak xmlns:{prefix}='{ssml.NAMESPACE}' version")
    found = script.sentences(named, script_format="ssml")
    assert found == script.sentences(marked, script_format="ssml")
    assert [(one.spoken, one.pause_s) for one in found.sentences] == [("One", 2.0), ("two three.", 0.7)]
    with pytest.raises(
        ScriptRefused, match=f"the prefix of <{prefix}:speak> is not that of SSML; write xmlns:"
    ):
        script.sentences(named.replace(ssml.NAMESPACE, "http://x"), script_format="ssml")
