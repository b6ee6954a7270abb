"""Small-E's and Lina-Speech's language model against the originals, step by step and all at once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from golden_vectors import Golden, check_recorded, close, shapes, shared_file
from keyed import fill
from torch import Tensor

from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.delay import STOP, delay, undelay
from avatarlab_ops.engines.speech.small_e.generate import (
    Attempt,
    Sampling,
    Step,
    attempts,
    backtracking,
    cut,
    draw,
    rank,
    steps,
)
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.engines.speech.small_e.step import Stepper

TINY = Config(64, 2, 2, 4, 4, 64, 128, 32, codebooks=4, codebook_size=61)
D512 = Config(512, 6, 9, 4, 4, 512, 1024, 512, codebooks=4, codebook_size=1024)
SIN = Config(64, 2, 2, 4, 4, 64, 128, 64, codebooks=1, codebook_size=61, rotary_cross=False)
CONV = Config(64, 2, 2, 4, 4, 32, 64, 64, 1, 61, 256, False, True, True)
SMALL_E = {"smalle_tiny": TINY, "smalle_d512": D512}
LINA = {"lina_tiny_sin": SIN, "lina_tiny_conv": CONV}
EVERY = SMALL_E | LINA
ATOL = {"smalle_tiny": 5e-4, "smalle_d512": 3e-3, "lina_tiny_sin": 5e-4, "lina_tiny_conv": 5e-4}
GREEDY = Sampling(top_k=1)


@functools.cache
def network(name: str, seed: int = 0) -> Lina:
    model = Lina(EVERY[name]).eval()
    rvq = {"rvq_embed": 1.0} if name in SMALL_E else {}
    fill(model, seed=seed, gains={**rvq, "txt_embed": 2.0, "logits_head": 2.0}, skip="rotary.freqs")
    return model


@functools.cache
def stepper(name: str) -> Stepper:
    return Stepper(network(name))


def greedy(name: str, ids: Tensor, count: int, **options: Any) -> list[Step]:
    sampling = Sampling(top_k=1, max_steps=count)
    return list(steps(stepper(name), ids, sampling=sampling, **options))


def stacked(drawn: list[Step]) -> tuple[Tensor, Tensor]:
    """tokens [Q, B, n] and logits [B, n, Q, tokens]."""
    return torch.stack([s.tokens for s in drawn], -1), torch.stack([s.logits for s in drawn], 1)


@pytest.mark.parametrize("name", EVERY)
def test_keys_and_shapes_are_the_released_ones(name: str, released_keys: Callable[..., Any]) -> None:
    assert shapes(network(name)) == released_keys("smalle", name)


@pytest.mark.parametrize("name", ["smalle_librilight_medium_230M", "lina_d1024l12_guess", *EVERY])
def test_the_configuration_follows_from_the_checkpoint(name: str, released_keys: Callable[..., Any]) -> None:
    expected = released_keys("smalle", name)
    with torch.device("meta"):
        config = Config.from_state({key: torch.empty(shape) for key, shape in expected.items()})
        assert shapes(Lina(config)) == expected
    assert config == EVERY.get(name, config)


@pytest.mark.parametrize("name", EVERY)
def test_text_encoder_matches_the_original(name: str, golden: Callable[[str], Golden]) -> None:
    g = golden(name)
    close(network(name).encode(g["txt"][None]), g["txt_enc"], 2e-5)


@pytest.mark.parametrize("name", SMALL_E)
def test_all_steps_at_once_match_the_original(name: str, golden: Callable[[str], Golden]) -> None:
    g = golden(name)
    model = network(name)
    out = model(g["delayed"][:, None, :-1], model.encode_text(g["txt"][None]))
    close(out.logits, g["tf_logits"], ATOL[name])
    if "tf_hidden" in g:
        close(out.hidden, g["tf_hidden"], ATOL[name])
        close(out.attention, g["tf_att"], ATOL[name])


@pytest.mark.parametrize("name", EVERY)
def test_generation_matches_the_original(name: str, golden: Callable[[str], Golden]) -> None:
    g = golden(name)
    drawn = greedy(name, g["txt"][None], g["gen_qs"].shape[-1])
    tokens, logits = stacked(drawn)
    assert tokens.equal(g["gen_qs"])
    close(logits[:, : g["gen_logits"].shape[1]], g["gen_logits"], ATOL[name])
    assert attempts(drawn)[0].codes.equal(g["gen_cut0"][:, 0])
    if "gen_att" in g:
        close(torch.stack([s.attention for s in drawn], 1), g["gen_att"][:, 1], ATOL[name])
    if "gen_undelayed" in g:
        assert undelay(tokens).equal(g["gen_undelayed"])


@pytest.mark.parametrize("name", EVERY)
def test_continuing_a_voice_matches_the_original(name: str, golden: Callable[[str], Golden]) -> None:
    g = golden(name)
    prompt = g["prompt"] + (3 if name in LINA else 0)  # Lina-Speech's vectors hold codes
    count = g["genp_qs"].shape[-1]
    tokens, logits = stacked(greedy(name, g["txt"][None], count, prompt=prompt, batch=2))
    assert tokens.equal(g["genp_qs"])
    close(logits[:, : g["genp_logits"].shape[1]], g["genp_logits"], ATOL[name])


def test_delay_matches_the_original(golden: Callable[[str], Golden]) -> None:
    example = json.loads(shared_file("golden/golden_smalle_delay.json").read_text())
    codes = torch.tensor(example["codes"])
    assert delay(codes).tolist() == example["delayed_of_codes_plus_3"]
    g = golden("smalle_tiny")
    assert delay(g["codes"]).equal(g["delayed"])


def test_undelay_undoes_delay() -> None:
    codes = torch.arange(4 * 2 * 7).reshape(4, 2, 7)
    assert undelay(delay(codes)).equal(codes)


@pytest.mark.parametrize("name", ["smalle_tiny", *LINA])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_step_by_step_equals_all_at_once(name: str, seed: int) -> None:
    model = network(name, seed).double()
    q, size = model.config.codebooks, model.config.codebook_size
    tokens = torch.randint(0, size, (q, 2, 11), generator=torch.Generator().manual_seed(seed))
    text = model.encode_text(torch.arange(1, 10)[None])
    whole = model(tokens, text)
    state, parts = None, []
    for part in tokens.split([1, 1, 4, 5], -1):
        out = model(part, text, state)
        state = out.state
        parts.append(out.logits)
    model.float()
    assert whole.logits.isfinite().all()
    close(torch.cat(parts, 1), whole.logits, 1e-10)


def test_a_candidate_that_stops_early_is_cut_there() -> None:
    tokens = torch.full((2, 9), 2)
    tokens[0, :5] = torch.tensor([1, 10, 11, 12, 2])
    tokens[1, :6] = torch.tensor([1, 1, 20, 21, 22, 2])
    attempt = cut(tokens, torch.eye(9))
    assert attempt.finished
    assert attempt.codes.tolist() == [[7, 8, 9], [17, 18, 19]]


@pytest.mark.parametrize("length", [0, 6])
def test_generation_ends_only_after_the_prompt(length: int) -> None:
    class Finished(Lina):
        def forward(self, *args: Any) -> Any:
            out = super().forward(*args)
            return out._replace(logits=out.logits.index_fill(-1, torch.tensor([STOP]), 1e3))

    ids, prompt = torch.tensor([[1, 20, 2]]), torch.full((4, 1, length), 9)
    drawn = list(steps(Stepper(Finished(TINY).eval()), ids, batch=2, sampling=GREEDY, prompt=prompt))
    assert len(drawn) == length + 1


def test_sampling_keeps_to_the_likeliest_and_repeats_with_its_seed() -> None:
    logits = torch.arange(10.0).repeat(64, 2, 1)
    sampling = Sampling(top_k=3, greedy_from=1)
    chances = torch.rand(64, 1, generator=torch.Generator().manual_seed(1))
    drawn = draw(logits, sampling, chances)
    assert set(drawn[0].tolist()) == {7, 8, 9}
    assert set(drawn[1].tolist()) == {9}
    assert drawn.equal(draw(logits, sampling, chances))
    assert draw(logits, sampling, torch.zeros(64, 1)).unique().tolist() == [9]


def test_ranking_prefers_the_candidate_that_walks_forward_through_the_text() -> None:
    forward, backward = torch.eye(6), torch.eye(6).flip(0)
    assert backtracking(forward) < backtracking(backward)
    candidates = [Attempt(torch.zeros(4, length), a, True) for a, length in [(backward, 9), (forward, 5)]]
    assert rank(candidates)[0].attention is forward


@pytest.mark.parametrize("name", ["smalle_tiny", *LINA])
def test_matches_what_was_recorded(name: str) -> None:
    ids = torch.tensor([[1, 20, 31, 3, 44, 2]])
    tokens, logits = stacked(greedy(name, ids, 16))
    check_recorded(name, 5e-4, tokens=tokens, logits=logits)
