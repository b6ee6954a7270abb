"""Kokoro speaks other languages: what is heard, and when. Skipped where `make voices` was not run."""

# ruff: noqa: RUF001  (full-width punctuation)

from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
from kit.recognise import transcribe

from avatarlab_ops import engines, script
from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.speech.narration import align
from avatarlab_ops.engines.speech.visemes import SHAPES
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.media.captions import captions
from avatarlab_ops.progress import silent
from avatarlab_ops.reading import read
from avatarlab_ops.stages.narration import doubts
from avatarlab_ops.timeline import spaced

pytestmark = pytest.mark.skipif(
    "kokoro" not in engines.names("speech"), reason="the engine kokoro is not installed: `make voices`"
)


def speak(text: str, language: str, voice: str) -> Speech:
    found = script.sentences(text, engine="kokoro", language=language).sentences
    engine = engines.load("speech", "kokoro")
    return engine.speak(list(found), language=language, voice=voice, seed=0, report=silent)


@pytest.fixture(scope="module")
def spanish() -> Speech:
    return speak("Hola, buenos días. Hoy hace sol.", "es", "ef_dora")


def test_a_recogniser_hears_the_words(spanish: Speech, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "speech.wav", spanish.samples, spanish.sample_rate)
    heard = transcribe(tmp_path / "speech.wav", language="es").lower()
    assert all(word in heard for word in ("hola", "buenos", "días", "hoy", "sol"))


def test_the_timeline_covers_the_speech_word_by_word(spanish: Speech) -> None:
    timeline = spanish.timeline
    assert [word.text for word in timeline.words] == ["Hola,", "buenos", "días.", "Hoy", "hace", "sol."]
    assert all(a.end_s <= b.start_s for a, b in pairwise(timeline.words))
    assert (timeline.phones[0].start_s, timeline.phones[-1].end_s) == (0, timeline.duration_s)
    assert all(a.end_s == b.start_s for a, b in pairwise(timeline.visemes))
    bilabial = next(viseme for viseme in timeline.visemes if viseme.name == "PP")
    word = next(word for word in timeline.words if word.text == "buenos")
    assert word.start_s <= bilabial.start_s < word.end_s, "the lips close for the b of buenos"


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en-US", "The water isn't here."), ("en-GB", "The (old) water."), ("es", "«¿Qué tal?»"),
        ("fr", "Les enfants, quatre-vingt-dix."), ("it", "Gli zii dell'amica."), ("pt-BR", "O pão — são."),
        ("de", "Heute müssen Pfützen, Äpfel quer."), ("uk", "Сьогодні їжак і ґанок."),
        ("ru", "Ещё щука, цена и жизнь."), ("hi", "नमस्ते, आपका स्वागत है।"),
        ("ja", "「ちょっと」待って、Kubernetes は十本です。"),
        ("zh", "“女儿去学院”，日子、Python 的。"),
    ],
)  # fmt: skip
def test_every_word_of_every_language_has_sounds_that_lips_know(language: str, text: str) -> None:
    from avatarlab_kokoro.words import spoken_words

    from avatarlab_ops.engines.speech import visemes

    (words,) = spoken_words([text], language)
    joiner = " " if spaced(language) else ""
    assert joiner.join(word.text for word in words) == text
    for word in words:
        sounds = [visemes.ipa(char) for char in word.symbols if visemes.is_sound(char)]
        assert bool(sounds) == any(map(str.isalpha, word.text))
        assert set(sounds) <= set(SHAPES)


def test_ukrainian_v_and_soft_l_are_sounds_that_an_italian_voice_says_so() -> None:
    """Its own [β] and [ʎ] were heard as other letters: пальто as пайто."""
    from avatarlab_kokoro.words import spoken_words

    (words,) = spoken_words(["вода пальто"], "uk")
    assert [word.symbols.replace("ˈ", "") for word in words] == ["voda", "palto"]


@pytest.mark.parametrize(
    "text", ["会議は10分です。", "約10分かかります。", "10分に1回。", "10分間休む。", "10分後に行く。"]
)
def test_ten_minutes_in_japanese_are_not_enough(text: str) -> None:
    """十分 is heard as じゅうぶん, enough, where it stands by itself."""
    from avatarlab_kokoro.words import spoken_words

    (words,) = spoken_words([read(text, "ja").said], "ja")
    assert "ʥɨʔpɯ" in "".join(word.symbols for word in words).replace(" ", "")


@pytest.mark.parametrize(
    ("language", "voice", "text", "sounds"),
    [
        ("ja", "jf_alpha", "カメラは2024年3月5日に発売です。", ["kameɾa", "saŋɡatsɨ", "itsɨka"]),
        ("zh", "zf_xiaoxiao", "相机是1,299元。", ["ɕjaŋtɕi", "tɕjouʂɨ"]),
    ],
)
def test_a_language_without_spaces_is_timed_phrase_by_phrase(
    language: str, voice: str, text: str, sounds: list[str]
) -> None:
    timeline = speak(text, language, voice).timeline
    assert "".join(word.text for word in timeline.words) == text
    assert len(timeline.words) > 2
    assert all(a.end_s <= b.start_s for a, b in pairwise(timeline.words))
    assert all(word.text[0] not in "。、，：" for word in timeline.words), "no line begins so"
    heard = "".join(phone.ipa for phone in timeline.phones)
    assert all(part in heard for part in sounds)


def test_sounds_can_be_given_in_a_language_without_spaces() -> None:
    from avatarlab_kokoro.words import spoken_sentences

    source = "私は<phoneme ph='bɛd'>今日</phoneme>行く。"
    found = script.sentences(source, engine="kokoro", language="ja", script_format="ssml").sentences
    assert found[0].text == "私は今日行く。"
    (words,) = spoken_sentences(found, "ja")
    assert [word.symbols for word in words if word.text == "今日"] == ["bɛd"]
    assert len(words) == 3


def test_foreign_words_keep_their_spaces_in_a_script_without() -> None:
    source = "私は<lang xml:lang='en-US'>Hello world</lang>です。"
    found = script.sentences(source, engine="kokoro", language="ja", script_format="ssml").sentences
    engine = engines.load("speech", "kokoro")
    said = engine.speak(list(found), language="ja", voice="jf_alpha", seed=0, report=silent)
    assert captions(said.timeline)[0].text == "私はHello worldです。"


def test_a_narration_in_another_language_than_its_script_is_told() -> None:
    spanish = speak("El museo abre cada mañana a las nueve. Mi hermano compró tres sillas.", "es", "em_alex")
    english = speak("The museum opens at nine every morning. My brother bought chairs.", "en-US", "af_heart")
    aligned = align(spanish.samples, english)
    assert aligned is not None
    assert "may say something else than the script" in doubts(aligned)[0]


def test_a_hum_is_heard_in_chinese() -> None:
    from avatarlab_kokoro.words import spoken_words

    (words,) = spoken_words(["嗯，好的，呣，噷。"], "zh")
    assert {word.text: word.symbols for word in words}["嗯，"] == "n↗,"
    assert all(any(char in "nmx" for char in word.symbols) for word in words if word.text[0] in "嗯呣噷")


@pytest.mark.parametrize(
    ("language", "text", "reads"),
    [
        ("en-US", "Hello 你好 to you", False), ("es", "Hola привет", False), ("hi", "नमस्ते 你好", False),
        ("en-GB", "Hello नमस्ते", True), ("hi", "नमस्ते Google", True), ("ru", "Привет Google", True),
        ("zh", "我爱 Google", True), ("ja", "私は Google", True),
    ],
)  # fmt: skip
def test_letters_are_refused_where_the_voice_would_say_what_unicode_calls_them(
    language: str, text: str, reads: bool
) -> None:
    """It said "Chinese letter Chinese letter" of 你好 in English."""
    with nullcontext() if reads else pytest.raises(ScriptRefused, match="first such letters"):
        script.sentences(text, engine="kokoro", language=language)


def test_another_language_or_voice_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="kokoro speaks en-US"):
        speak("Merhaba.", "tr", "ef_dora")
    with pytest.raises(EngineUnavailable, match="no voice 'nobody'"):
        speak("Hola.", "es", "nobody")
    with pytest.raises(ScriptRefused):
        speak("…", "es", "ef_dora")


def test_each_language_has_voices_and_each_voice_a_language() -> None:
    kokoro = engines.info("speech", "kokoro")
    assert all(kokoro.voices_of(language) for language in kokoro.languages)
    assert kokoro.language(None, "im_nicola") == "it"
    assert kokoro.voices_of("fr") == ("ff_siwis",)


def test_a_borrowed_voice_is_told_to_have_an_accent() -> None:
    from avatarlab_kokoro import STYLES

    kokoro = engines.info("speech", "kokoro")
    assert kokoro.voices_of("de")[0] == "dm_nicola"
    assert kokoro.language(None, "dm_nicola") == "de"
    speech = speak("Guten Tag.", "de", "dm_nicola")
    assert speech.timeline.warnings == ("the voice dm_nicola has a clear accent in de (Italian)",)
    own = {voice.name: voice.languages for voice in kokoro.voices if not voice.accent}
    borrowed = {voice.name: voice.languages for voice in kokoro.voices if voice.name in STYLES}
    assert not set(borrowed) & set(own)
    assert all(own[STYLES[name]] != languages for name, languages in borrowed.items())


def test_a_voice_whose_tones_are_those_of_shaanxi_says_so() -> None:
    assert not speak("\u4f60\u597d\u3002", "zh", "zf_xiaobei").timeline.warnings
    assert speak("\u4f60\u597d\u3002", "zh", "zf_xiaoni").timeline.warnings == (
        "the voice zf_xiaoni has a clear accent in zh (Shaanxi)",
    )


def test_a_word_of_another_language_and_given_sounds_are_said_in_the_same_voice() -> None:
    from avatarlab_kokoro.words import spoken_sentences

    source = (
        "<phoneme ph='bɛd'>Hola</phoneme>, <lang xml:lang='fr'>beaucoup</lang> "
        "<prosody rate='slow'>sol.</prosody>"
    )
    found = script.sentences(source, engine="kokoro", language="es", script_format="ssml").sentences
    assert [one.rate for one in found] == [1.0, 1.0, 0.8]
    first, french, _ = spoken_sentences(found, "es")
    assert first[0].symbols == "bɛd,"
    assert "o" in french[0].symbols
    assert "p" not in french[0].symbols, "French leaves the p of beaucoup silent"


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("我们用Wi-Fi上网。", {"Wi-Fi": "wˈIfˌI"}), ("发e-mail给我。", {"e-mail": "ˈiːmˈAl"}),
        ("穿T恤。", {"T": "tˈiː"}), ("Don’t说。", {"Don’t": "dˈOnt"}), ("去Café。", {"Café。": "kæfˈA."}),
    ],
)  # fmt: skip
def test_a_foreign_word_in_chinese_sounds_as_in_its_language(text: str, sounds: dict[str, str]) -> None:
    from avatarlab_kokoro.words import spoken_words, written_words

    (words,) = spoken_words([text], "zh")
    assert sounds.items() <= {word.text: word.symbols for word in words}.items()
    assert "".join(written_words(text, "zh")) == text


@pytest.mark.parametrize(
    ("language", "text", "sounds"),
    [
        ("fr", "Bon weekend", "wiːkˈɛnd"), ("de", "Das Update", "ˈʌpdAt"), ("ru", "Да Google", "ɡˈuːɡəl"),
        ("hi", "में Google", "ɡˈuːɡəl"), ("en-US", "A नमस्ते", "nəmˈʌsteː"),
    ],
)  # fmt: skip
def test_a_loan_word_sounds_as_in_its_language_and_nothing_names_that_language(
    language: str, text: str, sounds: str
) -> None:
    """The phonemizer's own marks, (en) and (fr), were once said aloud."""
    from avatarlab_kokoro.words import spoken_words

    (words,) = spoken_words([text], language)
    assert words[-1].symbols == sounds
