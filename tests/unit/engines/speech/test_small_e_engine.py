"""Small-E as an engine, at a tiny configuration: the voice is noise, all the rest is as with real weights."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from kit import small_e_models

from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.engines.speech.small_e import voice
from avatarlab_ops.engines.speech.small_e.delay import STOP, delay
from avatarlab_ops.engines.speech.small_e.engine import SmallE
from avatarlab_ops.engines.speech.small_e.generate import Sampling, steps
from avatarlab_ops.engines.speech.small_e.reader import Reader, pieces
from avatarlab_ops.engines.speech.small_e.step import Stepper, bfloat16
from avatarlab_ops.engines.speech.small_e.tokenizer import TextTokenizer
from avatarlab_ops.engines.speech.spoken import spoken_words
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import silent
from avatarlab_ops.timeline import VISEMES

SCRIPT = [
    Sentence("We hear 21 words — at once.", 0.3, "We hear twenty-one words — at once."),
    Sentence("They speak.", 0.7),
]
SEED = 2  # of the weights: attempts end soon


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    return TextTokenizer(small_e_models.tokenizer(tmp_path_factory.mktemp("tokenizer") / "bpe256.json"))


@pytest.fixture(scope="module")
def engine(tokenizer: TextTokenizer) -> SmallE:
    network, sound = small_e_models.network(seed=SEED), small_e_models.small_codec()
    return SmallE("small_e", network, tokenizer, sound, candidates=2)


def sample(seed: int, seconds: float, transcript: str = "The model speaks.") -> VoiceSample:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * 24_000)).astype(np.float32)
    return VoiceSample(0.1 * noise, 24_000, transcript)


def speak(engine: SmallE, script: list[Sentence], seed: int = 1, given: VoiceSample | None = None) -> Speech:
    kind = "sample" if given else "drawn"
    return engine.speak(script, language="en-US", voice=kind, seed=seed, report=silent, sample=given)


@pytest.fixture(scope="module")
def speech(engine: SmallE) -> Speech:
    return speak(engine, SCRIPT)


def test_a_script_is_spoken_with_a_timeline_that_covers_it(speech: Speech) -> None:
    timeline = speech.timeline
    assert np.isfinite(speech.samples).all()
    assert np.abs(speech.samples).max() > 0.01
    assert timeline.duration_s == pytest.approx(len(speech.samples) / 24_000)
    for number, sentence in enumerate(SCRIPT):
        said = [word.text for word in timeline.words if word.sentence == number]
        assert " ".join(said) == sentence.text
    assert all(a.end_s <= b.start_s for a, b in pairwise(timeline.words))
    for spans in (timeline.phones, timeline.visemes):
        assert (spans[0].start_s, spans[-1].end_s) == (0, timeline.duration_s)
        assert all(a.end_s == b.start_s for a, b in pairwise(spans))
    assert {viseme.name for viseme in timeline.visemes} <= set(VISEMES)
    assert not timeline.warnings


def test_a_sentence_of_which_nothing_is_heard_keeps_its_number(engine: SmallE) -> None:
    said = speak(engine, [Sentence("♪", 0.1), *SCRIPT[1:]])
    assert {word.sentence for word in said.timeline.words} == {1}


def test_the_same_seed_says_the_same_and_another_does_not(engine: SmallE, speech: Speech) -> None:
    again = speak(engine, SCRIPT)
    assert np.array_equal(speech.samples, again.samples)
    assert speech.timeline == again.timeline
    other = speak(engine, SCRIPT[1:], seed=7)
    alone = speak(engine, SCRIPT[1:])
    assert not np.array_equal(other.samples[: len(alone.samples)], alone.samples[: len(other.samples)])


def test_memory_that_runs_out_in_the_middle_changes_no_word(
    tokenizer: TextTokenizer, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, sound = small_e_models.network(seed=SEED), small_e_models.small_codec()
    scarce = SmallE("small_e", network, tokenizer, sound, candidates=2)
    sizes: list[int] = []
    step = Stepper.step

    def failing(self: Stepper, tokens: torch.Tensor, *rest: object) -> object:
        sizes.append(tokens.shape[1])
        if len(sizes) > 10 and tokens.shape[1] > 1:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return step(self, tokens, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Stepper, "step", failing)
    heard = speak(scarce, SCRIPT)
    assert set(sizes[:11]) == {2}
    assert set(sizes[11:]) >= {1}
    assert heard.timeline.words == speech.timeline.words
    assert np.abs(heard.samples - speech.samples).max() < 1e-4


def test_a_sample_is_gone_on_in_and_is_not_heard(engine: SmallE) -> None:
    script = SCRIPT[1:]
    cloned = speak(engine, script, given=sample(0, 8.0))
    assert cloned.timeline.duration_s < 6, "eight seconds of sample are not in it"
    assert np.array_equal(cloned.samples, speak(engine, script, given=sample(0, 8.0)).samples)
    other = speak(engine, script, given=sample(1, 8.0))
    assert len(other.samples) != len(cloned.samples) or not np.array_equal(other.samples, cloned.samples)


def test_a_long_sample_is_cut_after_a_word(engine: SmallE, tokenizer: TextTokenizer) -> None:
    words = ["the", "model", "speaks", "of", "what", "it", "has", "read"]
    codes = torch.randint(0, 1024, (4, 1000), generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        stepper = Stepper(small_e_models.network(seed=SEED))
        short = voice.listened(stepper, words, tokenizer.encode(words), codes)
    assert 1 <= len(short.words) < len(words)
    assert list(short.words) == words[: len(short.words)]
    assert 0 < short.codes.shape[1] <= voice.LONGEST_CODES
    assert short.codes.equal(codes[:, : short.codes.shape[1]])


def test_a_voice_is_fed_delayed_and_without_its_end() -> None:
    codes = torch.arange(8).view(2, 4)
    fed = voice.Voice(("a",), codes).tokens
    assert fed.tolist() == [[[3, 4, 5, 6]], [[1, 7, 8, 9]]]
    assert fed[:, 0].equal(delay(codes)[:, 1:5])


def test_what_it_does_not_speak_is_refused_by_name(engine: SmallE) -> None:
    with pytest.raises(EngineUnavailable, match="'heart' was asked for"):
        engine.speak(SCRIPT, language="en-US", voice="heart", seed=0, report=silent)
    with pytest.raises(ScriptRefused, match="nothing in the script"):
        speak(engine, [Sentence("— …", 0.1)])
    with pytest.raises(ScriptRefused, match="transcript"):
        speak(engine, SCRIPT, given=sample(0, 1.0, "…"))


def test_a_voice_that_never_ends_is_refused_with_the_word(tokenizer: TextTokenizer) -> None:
    network = small_e_models.network(seed=SEED)
    network.logits_head.weight.data[:, STOP] = 0
    engine = SmallE("small_e", network, tokenizer, small_e_models.small_codec(), candidates=1)
    reports: list[int] = []
    with pytest.raises(ScriptRefused, match=r"end of 'Go\.'"):
        engine.speak(
            [Sentence("Go.", 0.1)], language="en-US", voice="drawn", seed=0,
            report=lambda done, total, unit: reports.append(done),
        )  # fmt: skip
    assert len(reports) > 2, "a render that is cancelled meanwhile is told so"


@pytest.mark.parametrize("text", ["Congratulations all.", "Unfortunately we do."])
def test_a_first_word_longer_than_the_rest_is_halved_too(
    engine: SmallE, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(Reader, "_best", lambda *_: None)
    with pytest.raises(ScriptRefused, match=f"end of {text.split(maxsplit=1)[0]!r}"):
        speak(engine, [Sentence(text, 0.1)])


def test_characters_without_a_token_are_left_out_and_named(engine: SmallE) -> None:
    speech = speak(engine, [Sentence("We ħear it.", 0.1)])
    assert speech.timeline.warnings == ("small_e does not know and left out: ħ",)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("config", [small_e_models.TINY, small_e_models.TINY_LINA], ids=["small_e", "lina"])
def test_candidates_in_one_batch_are_those_drawn_one_by_one(config: object, seed: int) -> None:
    stepper = Stepper(small_e_models.network(config, seed).double())  # type: ignore[arg-type]
    ids, sampling = torch.tensor([[1, 20, 31, 3, 44, 2]]), Sampling(max_steps=12)
    chances = torch.rand(3, 12, 1, generator=torch.Generator().manual_seed(seed))
    prompt = torch.full((stepper.model.config.codebooks, 1, 3), 7)

    @torch.inference_mode()
    def drawn(rows: torch.Tensor) -> torch.Tensor:
        run = steps(stepper, ids, batch=len(rows), sampling=sampling, prompt=prompt, chances=rows)
        return torch.stack([step.tokens for step in run], -1)

    together = drawn(chances)
    for index in range(3):
        alone = drawn(chances[index : index + 1])
        assert alone[:, 0].equal(together[:, index, : alone.shape[-1]])


@pytest.mark.parametrize("config", [small_e_models.TINY, small_e_models.TINY_LINA], ids=["small_e", "lina"])
def test_a_step_is_what_the_whole_sequence_gives(config: object) -> None:
    stepper = Stepper(small_e_models.network(config, 5).double())  # type: ignore[arg-type]
    size = stepper.model.config.codebook_size
    tokens = torch.randint(0, size, (stepper.model.config.codebooks, 1, 9), generator=torch.Generator())
    with torch.inference_mode():
        text = stepper.model.encode_text(torch.arange(1, 12)[None])
        whole = stepper.model(tokens, text)
        _, progress = stepper.begin(tokens[:, :, :4], text, 2)
        for t in range(4, 9):
            logits, attention = stepper.step(tokens[:, :, t].expand(-1, 2), text, progress)
            torch.testing.assert_close(logits, whole.logits[:, t].expand(2, -1, -1), atol=1e-10, rtol=0)
            torch.testing.assert_close(attention, whole.attention[:, 1, t].expand(2, -1), atol=1e-10, rtol=0)


def test_sixteen_bits_say_nearly_the_same() -> None:
    text = torch.arange(1, 12)[None]
    tokens = torch.randint(0, 1024, (4, 1, 20), generator=torch.Generator().manual_seed(0))
    exact, coarse = small_e_models.network(), bfloat16(small_e_models.network())
    assert coarse.txt_encoder.sa[0].tmix.rotary.freqs.dtype == torch.float32  # type: ignore[union-attr]
    with torch.inference_mode():
        one, two = (model(tokens, model.encode_text(text)).logits.float() for model in (exact, coarse))
        _, progress = Stepper(coarse).begin(tokens, coarse.encode_text(text), 2)
        logits, _ = Stepper(coarse).step(tokens[:, :, 0].expand(-1, 2), coarse.encode_text(text), progress)
    assert float((one - two).std() / one.std()) < 0.1
    assert logits.isfinite().all()


def test_pieces_fit_and_lose_no_word() -> None:
    words = spoken_words("One two, three four five six seven. Eight nine ten eleven twelve thirteen")
    found = list(pieces(words, 24))
    assert [index for piece in found for index in piece] == list(range(len(words)))
    assert all(len(" ".join(words[i].text for i in piece)) <= 24 for piece in found)
    assert words[found[0][-1]].text == "two,"


def test_every_token_knows_its_word(tokenizer: TextTokenizer) -> None:
    tokens = tokenizer.encode(["“Hello,”", "World's", "—", "café"])
    assert (tokens.ids[0], tokens.ids[-1]) == (1, 2)
    assert len(tokens.ids) == len(tokens.words)
    kept = [word for word in tokens.words if word >= 0]
    assert kept == sorted(kept)
    assert set(kept) == {0, 1, 3}
    assert tokens.words[0] == tokens.words[1] == tokens.words[-1] == -1, "the quote is no part of the word"
    assert tokenizer.encode(["HELLO"]).ids == tokenizer.encode(["hello"]).ids
    assert tokenizer.unknown("a£b") == "£"


def test_a_file_that_is_no_tokenizer_of_small_e_is_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    Tokenizer(models.BPE()).save(str(tmp_path / "other.json"))
    with pytest.raises(EngineUnavailable, match="lacks"):
        TextTokenizer(tmp_path / "other.json")
