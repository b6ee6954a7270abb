"""From text to audio tokens, step by step, and the choice among several attempts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from avatarlab_ops.engines.speech.small_e.delay import START, STOP, undelay
from avatarlab_ops.engines.speech.small_e.step import Stepper

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
    stepper: Stepper,
    ids: Tensor,
    *,
    batch: int = 1,
    sampling: Sampling | None = None,
    prompt: Tensor | None = None,
    chances: Tensor | None = None,
) -> Iterator[Step]:
    """Generate until every candidate has said stop in all its codebooks, or `max_steps`.

    ids: text int64 [1, J] with its begin and end; `batch` candidates are drawn for it.
    prompt: tokens int64 [Q, 1, n] (codes + 3, delayed) of a voice that says the beginning of the text; they
    are fed instead of what is drawn.
    chances: float32 [batch, max_steps, greedy_from] in [0, 1), one for each token that is drawn, so that what
    a candidate says depends on its own alone; None: the likeliest token always.
    """
    sampling = sampling or Sampling()
    text = stepper.model.encode_text(ids)
    tokens = torch.full((stepper.model.config.codebooks, 1, 1), START, device=ids.device)
    if prompt is not None:
        tokens = torch.cat([tokens, prompt], -1)
    fed = tokens.shape[-1]
    if chances is None:
        chances = torch.zeros(batch, sampling.max_steps, sampling.greedy_from, device=ids.device)
    drawn = tokens[:, :, -1]
    begun, progress = stepper.begin(tokens, text, batch)
    stopped = torch.zeros(batch, dtype=torch.bool, device=ids.device)
    for t in range(sampling.max_steps):
        if t < fed:
            logits, attention = begun.logits[:, t], begun.attention[:, 1, t].expand(batch, -1)
        else:
            logits, attention = stepper.step(drawn, text, progress)
        drawn = draw(logits.expand(batch, -1, -1), sampling, chances[:, t])
        yield Step(drawn, logits.expand(batch, -1, -1), attention)
        if t >= fed - 1:
            stopped |= (drawn == STOP).all(0)
            if bool(stopped.all()):
                return


def draw(logits: Tensor, sampling: Sampling, chances: Tensor) -> Tensor:
    """Logits [B, Q, tokens] and chances [B, greedy_from] to tokens int64 [Q, B]."""
    greedy = logits[:, sampling.greedy_from :].argmax(-1).T
    sampled = logits[:, : sampling.greedy_from]
    best, tokens = sampled.topk(min(sampling.top_k, sampled.shape[-1]), -1)
    reached = F.softmax(best.float() / sampling.temperature, -1).cumsum(-1)  # [B, greedy_from, k]
    place = (reached <= chances[..., None]).sum(-1, keepdim=True).clamp(max=tokens.shape[-1] - 1)
    return torch.cat([tokens.gather(-1, place)[..., 0].T, greedy])


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
