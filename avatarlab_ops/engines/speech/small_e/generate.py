"""From text to audio tokens, step by step, and the choice among several attempts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.delay import START, STOP, undelay
from avatarlab_ops.engines.speech.small_e.model import Lina, State

MARGIN = 0.01  # text tokens that the attention should at least advance in the whole run


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn. Codebooks from `greedy_from` on take the likeliest token."""

    top_k: int = 100
    temperature: float = 1.0
    greedy_from: int = 1
    max_steps: int = 2000  # 26.6 s at 75 Hz, the longest that was trained


class Step(NamedTuple):
    """tokens int64 [Q, B], logits [B, Q, tokens], attention [B, J] over the text."""

    tokens: Tensor
    logits: Tensor
    attention: Tensor


class Attempt(NamedTuple):
    """One candidate: codes int64 [Q, T], attention [n, J] of its n steps, and whether it came to an end."""

    codes: Tensor
    attention: Tensor
    finished: bool


def steps(
    model: Lina,
    ids: Tensor,
    *,
    batch: int = 1,
    sampling: Sampling | None = None,
    prompt: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:
    """Generate until every candidate has said stop in all its codebooks, or `max_steps`.

    ids: text int64 [1, J] with its begin and end; `batch` candidates are drawn for it.
    prompt: tokens int64 [Q, 1, n] (codes + 3, delayed) of a voice that says the beginning of the text; they
    are fed instead of what is drawn. `generator`: on the model's device; the same seed draws the same
    speech.
    """
    sampling = sampling or Sampling()
    text = model.prepare(ids)
    tokens = torch.full((model.config.codebooks, batch), START, device=ids.device)
    stopped = torch.zeros(batch, dtype=torch.bool, device=ids.device)
    state: State | None = None
    for t in range(sampling.max_steps):
        _, logits, attention, state = model(tokens[:, :, None], text, state)
        drawn = draw(logits[:, 0], sampling, generator)
        yield Step(drawn, logits[:, 0], attention[:, 1, 0])
        if prompt is not None and t < prompt.shape[2]:
            tokens = prompt[:, :, t].expand(-1, batch)
            continue
        tokens = drawn
        stopped |= (drawn == STOP).all(0)
        if bool(stopped.all()):
            return


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator | None = None) -> Tensor:
    """Logits [B, Q, tokens] to tokens int64 [Q, B]."""
    greedy = logits.argmax(-1).T
    sampled = logits[:, : sampling.greedy_from]
    if not sampled.shape[1]:
        return greedy
    least = sampled.topk(min(sampling.top_k, sampled.shape[-1]), -1).values[..., -1:]
    kept = (sampled / sampling.temperature).masked_fill(sampled < least, -torch.inf)
    chances = F.softmax(kept.float(), -1)
    drawn = torch.multinomial(chances.flatten(0, 1), 1, generator=generator).view(sampled.shape[:2])
    return torch.cat([drawn.T, greedy[sampling.greedy_from :]])


def attempts(drawn: list[Step]) -> list[Attempt]:
    """Cut each candidate of a finished run where it said stop, and undo the delay.

    Give the steps after the prompt, or the prompt is in the codes as well.
    """
    tokens = torch.stack([step.tokens for step in drawn], -1)  # [Q, B, n]
    attention = torch.stack([step.attention for step in drawn], 1)  # [B, n, J]
    return [cut(tokens[:, b], attention[b]) for b in range(tokens.shape[1])]


def cut(tokens: Tensor, attention: Tensor) -> Attempt:
    """Tokens [Q, n] and attention [n, J] of one candidate.

    What is drawn begins with the first code, not with a start token, so that undoing the delay drops that
    code (13 ms) of every codebook, as the original does.
    """
    codes = undelay(tokens)
    stops = (tokens == STOP).all(0).nonzero()
    if not len(stops):
        return Attempt(codes, attention, finished=False)
    end = int(stops[0])
    return Attempt(codes[:, : max(end - tokens.shape[0], 0)], attention[:end], finished=True)


def backtracking(attention: Tensor) -> float:
    """How far attention [n, J] runs back through the text, in tokens (Regotron, Georgiou et al. 2022)."""
    place = attention @ torch.arange(attention.shape[1], device=attention.device, dtype=attention.dtype)
    margin = MARGIN / max(len(place), 1)
    return float((place[:-1] - place[1:] + margin).relu().sum())


def rank(candidates: list[Attempt]) -> list[Attempt]:
    """Best first: of the half that backtracks least, the longer half; ties keep their order. Never empty."""
    steady = sorted(candidates, key=lambda a: backtracking(a.attention))[: (len(candidates) + 1) // 2]
    return sorted(steady, key=lambda a: -a.codes.shape[1])[: (len(steady) + 1) // 2]
