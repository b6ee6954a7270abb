"""Speech to one latent for every frame of the video, streaming.

Both networks attend over all they are given, and stage 2 was trained on 10 s. So speech of up to 20 s is
taken whole, as upstream does, and longer speech in windows of 20 s that share 4 s and are blended there. Then
memory does not grow with the length, and what lies within 2 s of a window's edge has less than half a vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.lipsync.diffdub import hubert
from avatarlab_ops.engines.lipsync.diffdub.stage2 import AudioToLatent, references

RATE = 25  # latents a second
SAMPLES = hubert.SAMPLE_RATE // RATE  # of a latent
WINDOW, SHARED = 20 * RATE, 4 * RATE  # latents


class Listener:
    """Hears what is said and tells how the mouth of the person looks then."""

    def __init__(self, ears: Any, network: AudioToLatent) -> None:
        self._ears, self._network = ears, network

    def latents(self, speech: Speech, person: Tensor, window: int = WINDOW) -> Iterator[Tensor]:
        """Latents float32 [L] at 25 Hz; `person` are latents [R, L] of frames of the person.

        `window` is how many latents are heard at once, more than 4 s of them.
        """
        device = person.device
        samples = torch.from_numpy(np.asarray(speech.samples, np.float32))
        samples = hubert.utterance(samples, speech.sample_rate)
        shown = references(person)
        tail = person[:0]
        for start, end in windows(len(samples), window):
            states = hubert.states(self._ears, samples[start:end].to(device))
            found = self._network(states[None].to(shown.dtype), shown)[0]
            found[: len(tail)] = blended(tail, found[: len(tail)])
            kept = len(found) - (SHARED if end < len(samples) else 0)
            yield from found[:kept]
            tail = found[kept:]


def windows(samples: int, window: int = WINDOW) -> list[tuple[int, int]]:
    """Start and end, in samples, of windows of `window` latents that share 4 s; the last may be shorter."""
    hop, size = (window - SHARED) * SAMPLES, window * SAMPLES
    starts = range(0, max(1, samples - SHARED * SAMPLES), hop)
    return [(start, min(start + size, samples)) for start in starts]


def blended(before: Tensor, after: Tensor) -> Tensor:
    """From all of the one [n, L] to all of the other."""
    share = (torch.arange(len(before), device=before.device) + 1) / (len(before) + 1)
    return torch.lerp(before, after, share[:, None])


def resampled(latents: Iterable[Tensor], fps: float, frames: int) -> Iterator[Tensor]:
    """Latents at 25 Hz to `frames` latents at `fps`, each read at the middle of its frame's time."""
    source = iter(latents)
    pairs = pairwise(_held(source))
    at = -1
    before = after = torch.empty(0)
    for frame in range(frames):
        place = max(0.0, (frame + 0.5) * RATE / fps - 0.5)
        while at < 0 or at + 1 < place:
            before, after = next(pairs)
            at += 1
        yield torch.lerp(before, after, place - at)


def _held(latents: Iterator[Tensor]) -> Iterator[Tensor]:
    """The latents, then the last one for ever."""
    latent = next(latents)
    yield latent
    for latent in latents:
        yield latent
    yield from repeat(latent)
