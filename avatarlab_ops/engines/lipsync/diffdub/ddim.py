"""Deterministic diffusion sampling (DDIM, Song et al. 2020) that paints inside a mask only.

At every step, what is to be kept is put back from the clean source; the network then predicts the noise,
and with it the next, less noisy frame. The same start noise for all frames of a clip keeps the mouth steady
in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

Network = Callable[[Tensor, Tensor, Tensor], Tensor]  # frames [B, 6, H, W], timesteps, latents to noise

TRAINED_STEPS = 1000
FIRST_TIMESTEP, LAST_TIMESTEP = 950, 50
SPACING = 1.5
_NOISE: dict[str, Any] = {
    "num_train_timesteps": TRAINED_STEPS,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "linear",
}


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


def scheduler(steps: int, order: int = 1) -> Any:
    """A `diffusers` scheduler over the noise that the network was trained with.

    Order 1 is DDIM in `steps` equal strides, as the authors sample. Order 2 is DPM-Solver++, multistep
    (Lu et al., arXiv 2211.01095), which also uses the clean frame foreseen one step before. The same method
    at order 1 is DDIM to rounding, and what is put back from the source enters both at the same place: the
    sample that a step starts from. Its timesteps are even in t ** (1 / SPACING) and end where the reference's
    last but one lies; of the spacings tried that was the surest with few steps (docs/models.md).

    Raises ValueError for order 1 unless `steps` divides 1000, for order 2 unless it is 2 to 20.
    """
    if order == 1:
        return _ddim(steps)
    if not 2 <= steps <= 20:
        raise ValueError(f"{steps} steps of order {order}: use 2 to 20")
    schedule: Any = DPMSolverMultistepScheduler(  # type: ignore[no-untyped-call]
        **_NOISE,
        algorithm_type="dpmsolver++",
        solver_order=order,
        thresholding=True,  # with these two: the foreseen frame is clipped to -1..1
        sample_max_value=1.0,
        dynamic_thresholding_ratio=1.0,
        final_sigmas_type="zero",
    )
    roots = np.linspace(FIRST_TIMESTEP ** (1 / SPACING), LAST_TIMESTEP ** (1 / SPACING), steps)
    schedule.set_timesteps(timesteps=[round(root**SPACING) for root in roots])
    return schedule


def _ddim(steps: int) -> Any:
    if steps < 1 or TRAINED_STEPS % steps:
        raise ValueError(
            f"{steps} sampling steps: must divide {TRAINED_STEPS}, for example 4, 5, 8, 10, 20 or 50"
        )
    schedule: Any = DDIMScheduler(  # type: ignore[no-untyped-call]
        **_NOISE, clip_sample=True, set_alpha_to_one=True, steps_offset=0, timestep_spacing="leading"
    )
    schedule.set_timesteps(steps)
    return schedule


def paint_steps(network: Network, canvas: Canvas, steps: int = 20, order: int = 1) -> Iterator[Step]:
    """Paint in `steps` network calls, yielding each. The last sample, in -1..1, is the painted frame.

    The kept region has also passed through the network: lay the source over it where exact pixels matter. The
    network may compute in another precision than the canvas, whose own is kept between the steps.
    """
    schedule = scheduler(steps, order)
    options = {"eta": 0.0, "use_clipped_model_output": True} if order == 1 else {}
    x = canvas.noise.expand_as(canvas.source)
    for timestep in schedule.timesteps:
        x = (1 - canvas.keep) * x + canvas.keep * canvas.source
        t = timestep.to(x.device).expand(x.shape[0])
        noise = network(torch.cat([x, canvas.reference], 1), t, canvas.latent).to(x.dtype)
        after = schedule.step(noise, timestep, x, **options)
        clean = after.pred_original_sample if order == 1 else schedule.model_outputs[-1]
        x = after.prev_sample
        yield Step(int(timestep), x, clean)


def paint(network: Network, canvas: Canvas, steps: int = 20, order: int = 1) -> Tensor:
    """The painted frames [B, 3, H, W] in -1..1."""
    *_, last = paint_steps(network, canvas, steps, order)
    return last.sample
