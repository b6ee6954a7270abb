"""Deterministic diffusion sampling (DDIM, Song et al. 2020) that paints inside a mask only.

At every step, what is to be kept is put back from the clean source; the network then predicts the noise,
and with it the next, less noisy frame. The same start noise for all frames of a clip keeps the mouth steady
in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from avatarlab_ops.engines.lipsync.diffdub.unet import Renderer

TRAINED_STEPS = 1000


class Canvas(NamedTuple):
    """What a frame is painted from, RGB [B, 3, H, W] in -1..1.

    source: the frame to repaint; keep: [B, 1 or 3, H, W], 1 where it stays, 0 where it is painted;
    reference: a frame of the same person that shows the mouth; latent: [B, L]; noise: standard normal, [1
    or B, ...].
    """

    source: Tensor
    keep: Tensor
    reference: Tensor
    latent: Tensor
    noise: Tensor


class Step(NamedTuple):
    """timestep 0..999, the frame after it and the clean frame that it foresaw, [B, 3, H, W]."""

    timestep: int
    sample: Tensor
    clean: Tensor


def scheduler(steps: int) -> Any:
    """A `diffusers` scheduler: the noise that the network was trained with, in `steps` equal strides.

    Raises ValueError unless `steps` divides 1000.
    """
    if steps < 1 or TRAINED_STEPS % steps:
        raise ValueError(
            f"{steps} sampling steps: must divide {TRAINED_STEPS}, for example 4, 5, 8, 10, 20 or 50"
        )
    schedule: Any = DDIMScheduler(  # type: ignore[no-untyped-call]
        num_train_timesteps=TRAINED_STEPS,
        beta_start=1e-4,
        beta_end=0.02,
        beta_schedule="linear",
        clip_sample=True,
        set_alpha_to_one=True,
        steps_offset=0,
        timestep_spacing="leading",
    )
    schedule.set_timesteps(steps)
    return schedule


def paint_steps(network: Renderer, canvas: Canvas, steps: int = 20) -> Iterator[Step]:
    """Paint in `steps` network calls, yielding each. The last sample, in -1..1, is the painted frame.

    The kept region has also passed through the network: lay the source over it where exact pixels matter.
    """
    schedule = scheduler(steps)
    x = canvas.noise.expand_as(canvas.source)
    for timestep in schedule.timesteps:
        x = (1 - canvas.keep) * x + canvas.keep * canvas.source
        t = timestep.to(x.device).expand(x.shape[0])
        noise = network(torch.cat([x, canvas.reference], 1), t, canvas.latent)
        after = schedule.step(noise, timestep, x, eta=0.0, use_clipped_model_output=True)
        x = after.prev_sample
        yield Step(int(timestep), x, after.pred_original_sample)


def paint(network: Renderer, canvas: Canvas, steps: int = 20) -> Tensor:
    """The painted frames [B, 3, H, W] in -1..1."""
    *_, last = paint_steps(network, canvas, steps)
    return last.sample
