"""Which engine speaks a request that names none."""

from __future__ import annotations

import dataclasses

import pytest

from avatarlab_ops import engines
from avatarlab_ops.engines import writing
from avatarlab_ops.engines.choice import ADDITION, DEFAULT, check_voice, speech_engine
from avatarlab_ops.engines.info import EngineInfo, SpeechInfo, Voice
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused

SPANISH = SpeechInfo(
    name=ADDITION, factory="none:none", version="1", languages=("en-GB", "es"), scripts=("Latin",),
    voices=(Voice("emma", "", "", ("en-GB",)), Voice("dora", "", "", ("es",))),
)  # fmt: skip


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, ())


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, (SPANISH,))


def install(monkeypatch: pytest.MonkeyPatch, more: tuple[EngineInfo, ...]) -> None:
    """Our own engines and these, whatever else this machine has."""
    ours = {key: info for key, info in engines.known().engines.items() if key[1] != ADDITION}
    there = dataclasses.replace(engines.known(), engines=ours | {(one.kind, one.name): one for one in more})
    monkeypatch.setattr(engines, "known", lambda: there)


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("language", "voice", "engine"),
    [
        (None, None, DEFAULT), ("en-US", None, DEFAULT), ("en", None, DEFAULT), ("en-GB", None, ADDITION),
        ("es", None, ADDITION), ("es-MX", None, ADDITION), (None, "dora", ADDITION),
        ("en-US", "drawn", "small_e"),
        ("en-US", "nobody", DEFAULT),
    ],
)  # fmt: skip
def test_the_language_and_the_voice_choose(language: str | None, voice: str | None, engine: str) -> None:
    assert speech_engine(None, language, voice).name == engine


@pytest.mark.usefixtures("added")
def test_the_engine_that_is_named_speaks() -> None:
    assert speech_engine(ADDITION, None).name == ADDITION
    with pytest.raises(EngineUnavailable, match=r"hibari speaks en-US, not 'es'; engines that do: kokoro$"):
        speech_engine("hibari", "es")


@pytest.mark.usefixtures("without")
def test_what_is_not_installed_is_told_how_to_get() -> None:
    with pytest.raises(
        EngineUnavailable,
        match=r"no installed engine speaks 'es'.*`make voices` \(a container: .*VOICES=1\), which adds",
    ):
        speech_engine(None, "es")
    with pytest.raises(EngineUnavailable, match="make voices"):
        speech_engine("hibari", "fr")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Hola привет", "written in Cyrillic, but the speech engine 'kokoro' speaks only Latin in es; no "),
        ("Hola 你好", r"speaks only Latin in es; engines that can: kokoro \(ja\); the first .* '你好'"),
    ],
)
def test_letters_that_no_voice_of_the_language_reads_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    """Kokoro's Spanish voices once said "cirílico" for each."""
    many = dataclasses.replace(
        SPANISH, languages=("es", "ja"), scripts=("Latin", "Han"), reads_only={"es": ("Latin",)}
    )
    install(monkeypatch, (many,))
    writing.check("Hola", ADDITION, "es")
    writing.check("日本 Hola", ADDITION, "ja")
    with pytest.raises(ScriptRefused, match=told):
        writing.check(text, ADDITION, "es")


@pytest.mark.usefixtures("added")
def test_a_language_in_short_is_that_of_the_voice() -> None:
    both = dataclasses.replace(SPANISH, languages=("en-US", "en-GB", "es"))
    assert both.language("en", "emma") == "en-GB"
    assert both.language("en", "nobody") == both.language("en") == "en-US"
    assert both.language("en-US", "emma") == "en-US"


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ("added", (None, None, "emna"), r"no installed engine has a voice 'emna' for en-US; choose one of: "
                                        r"heart, drawn; there is emma of kokoro \(en-GB\)$"),
        ("added", (None, "en-US", "dora"), r"there is dora of kokoro \(es\)$"),
        ("added", ("hibari", None, "emma"), r"hibari has no voice 'emma' for en-US; .*: heart; there is"),
        ("without", (None, None, "ef_dora"), r": heart, drawn; run `make voices` .*which adds those of docs"),
        ("without", (ADDITION, None, None), r"no speech engine 'kokoro'; .*; run `make voices`"),
    ],
)  # fmt: skip
def test_a_voice_that_nobody_has_is_refused_with_those_that_are_like_it(
    there: str, asked: tuple[str | None, str | None, str | None], said: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(there)
    named, language, voice = asked

    def ask() -> None:
        speech = speech_engine(named, language, voice)
        check_voice(speech, speech.language(language, voice) or "", voice or "", named=named is not None)

    with pytest.raises(EngineUnavailable, match=said):
        ask()
