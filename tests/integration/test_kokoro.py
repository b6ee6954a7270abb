"""Kokoro speaks other languages: what is heard, and when. Skipped where `make voices` was not run."""

from itertools import pairwise
from pathlib import Path

import pytest
import soundfile
from kit.recognise import transcribe

from avatarlab_ops import engines, script
from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.speech.visemes import SHAPES
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import silent

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
        ("hi", "नमस्ते, आपका स्वागत है।"),
    ],
)  # fmt: skip
def test_every_word_of_every_language_has_sounds_that_lips_know(language: str, text: str) -> None:
    from avatarlab_kokoro.words import spoken_words

    from avatarlab_ops.engines.speech import visemes

    (words,) = spoken_words([text], language)
    assert [word.text for word in words] == text.split()
    for word in words:
        sounds = [visemes.ipa(char) for char in word.symbols if visemes.is_sound(char)]
        assert bool(sounds) == any(map(str.isalpha, word.text))
        assert set(sounds) <= set(SHAPES)


def test_another_language_or_voice_is_refused() -> None:
    with pytest.raises(EngineUnavailable, match="kokoro speaks en-US"):
        speak("Hallo.", "de", "ef_dora")
    with pytest.raises(EngineUnavailable, match="no voice 'nobody'"):
        speak("Hola.", "es", "nobody")
    with pytest.raises(ScriptRefused):
        speak("…", "es", "ef_dora")


def test_each_language_has_voices_and_each_voice_a_language() -> None:
    kokoro = engines.info("speech", "kokoro")
    assert all(kokoro.voices_of(language) for language in kokoro.languages)
    assert kokoro.language(None, "im_nicola") == "it"
    assert kokoro.voices_of("fr") == ("ff_siwis",)


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
