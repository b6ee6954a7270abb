"""RobustVideoMatting against the original's outputs, and against itself in every way it may be called."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from golden_vectors import Golden, check_recorded, close, noise, shapes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keyed import fill
from torch import Tensor

from avatarlab_ops.engines.matting.rvm.decoder import State
from avatarlab_ops.engines.matting.rvm.model import MattingNetwork, Variant

VARIANTS: list[Variant] = ["mobilenetv3", "resnet50"]
GAINS: dict[str, dict[str, float]] = {
    "mobilenetv3": {"project_mat": 1.0, "refiner.conv.6": 0.5},
    "resnet50": {"project_mat": 1.0, "refiner.conv.6": 0.5, "conv3": 0.3},
}
GAIN = {"mobilenetv3": 1.28, "resnet50": 1.4}
CASES = {"A": 0.5, "B": 0.4, "C": 1.0}


@functools.cache
def network(variant: Variant, refiner: Any = "deep", seed: int = 0) -> MattingNetwork:
    model = MattingNetwork(variant, refiner).eval()
    bias = {"project_mat.conv.bias": [0.0, 0.0, 0.0, 0.5]}
    fill(model, seed=seed, gain=GAIN[variant], gains=GAINS[variant], overrides=bias, skip="box_filter")
    return model


def run(
    model: MattingNetwork, clip: Tensor, ratio: float, chunk: int = 1
) -> tuple[Tensor, Tensor, list[State]]:
    """Clip [B, T, 3, H, W] in chunks: foreground, alpha and the state after each chunk."""
    foregrounds, alphas, states = [], [], list[State]()
    for part in clip.split(chunk, 1):
        foreground, alpha, state = model(part, states[-1] if states else None, ratio)
        foregrounds.append(foreground)
        alphas.append(alpha)
        states.append(state)
    return torch.cat(foregrounds, 1), torch.cat(alphas, 1), states


@pytest.mark.parametrize("variant", VARIANTS)
def test_keys_and_shapes_are_the_released_ones(variant: Variant, released_keys: Callable[..., Any]) -> None:
    assert shapes(network(variant)) == released_keys("rvm", f"rvm_{variant}.pth")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("case", CASES)
def test_matches_the_original(variant: Variant, case: str, golden: Callable[[str], Golden]) -> None:
    g = golden(f"rvm_{variant}")
    foreground, alpha, states = run(network(variant), g[f"{case}_src"], CASES[case])
    close(foreground, g[f"{case}_fgr"], 2e-5)
    close(alpha, g[f"{case}_pha"], 2e-5)
    for t in (0, len(states) - 1):
        for level, state in enumerate(states[t], 1):
            close(state, g[f"{case}_rec{level}_t{t}"], 1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_part_matches_the_original(variant: Variant, golden: Callable[[str], Golden]) -> None:
    g = golden(f"rvm_{variant}")
    model = network(variant)
    frame = g["A_src"][:, 0]
    small, hidden, _ = model._decode(frame, None, 0.5, 1)
    maps = model.backbone(small)
    for level, feature in enumerate(maps, 1):
        close(feature, g[f"A_f{level}_t0"], 1e-4)
    close(model.aspp(maps.f4), g["A_aspp_t0"], 1e-4)
    y = model.project_mat(hidden)
    close(y, g["A_project_mat_t0"], 1e-4)
    residual, alpha = model.refiner(frame, small, y, hidden)
    close(residual, g["A_refiner_fgrres_t0"], 1e-4)
    close(alpha, g["A_refiner_pha_t0"], 1e-4)


@pytest.mark.parametrize("variant", VARIANTS)
def test_segmentation_and_fast_filter_match_the_original(
    variant: Variant, golden: Callable[[str], Golden]
) -> None:
    g = golden(f"rvm_{variant}")
    logits, _ = network(variant).segment(g["C_src"][:, 0])
    close(logits, g["seg_logits_C_t0"], 1e-4)
    foreground, alpha, _ = network(variant, "fast")(g["A_src"][:, 0], None, 0.5)
    close(foreground, g["A_fastguided_fgr_t0"], 2e-5)
    close(alpha, g["A_fastguided_pha_t0"], 2e-5)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_chunks_equal_frame_by_frame(variant: Variant, seed: int) -> None:
    clip = noise(seed, 2, 3, 3, 64, 97) * 0.5 + 0.5
    model = network(variant, seed=seed)
    single = run(model, clip, 0.6)
    chunked = run(model, clip, 0.6, chunk=3)
    close(chunked[0], single[0], 1e-5)
    close(chunked[1], single[1], 1e-5)
    for whole, last in zip(chunked[2][-1], single[2][-1], strict=True):
        close(whole, last, 1e-5)


SIZES = [(64, 64), (65, 111), (179, 67), (96, 250)]


@pytest.mark.parametrize(
    ("size", "ratio"), [*itertools.product(SIZES, [1.0, 0.75, 0.33]), ((1079, 1919), 0.25)]
)
def test_any_size_gives_finite_mattes_of_that_size(size: tuple[int, int], ratio: float) -> None:
    frame = noise(3, 1, 3, *size) * 0.5 + 0.5
    foreground, alpha, _ = network("mobilenetv3")(frame, None, ratio)
    assert foreground.shape == (1, 3, *size)
    assert alpha.shape == (1, 1, *size)
    assert alpha.isfinite().all()
    assert foreground.min() >= 0
    assert foreground.max() <= 1


SIDES = st.integers(64, 1080)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**20), height=SIDES, width=SIDES, chunk=st.integers(2, 3))
@example(seed=7, height=1079, width=1919, chunk=2)
@example(seed=8, height=64, width=1920, chunk=3)
@example(seed=9, height=65, width=67, chunk=2)
def test_any_seed_and_size_is_finite_and_the_same_however_it_is_cut_up(
    seed: int, height: int, width: int, chunk: int
) -> None:
    model = network.__wrapped__("mobilenetv3", seed=seed)
    clip = noise(seed, 1, 3, 3, height, width) * 0.5 + 0.5
    ratio = min(1.0, 96 / min(height, width))
    together, _ = model.alpha(clip[:, :chunk], None, ratio)
    state = None
    for t in range(chunk):
        alpha, state = model.alpha(clip[:, t], state, ratio)
        assert alpha.isfinite().all()
        close(alpha, together[:, t], 1e-5)
    assert alpha.shape == (1, 1, height, width)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("ratio", [1.0, 0.4])
def test_alpha_alone_is_that_beside_the_foreground(variant: Variant, ratio: float) -> None:
    clip = noise(4, 1, 2, 3, 81, 113) * 0.5 + 0.5
    _, expected, after = network(variant)(clip, None, ratio, always_refine=True)
    alpha, state = network(variant).alpha(clip, None, ratio)
    close(alpha, expected, 1e-6)
    close(state.r1, after.r1, 1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_matches_what_was_recorded(variant: Variant) -> None:
    clip = noise(5, 1, 2, 3, 65, 87) * 0.5 + 0.5
    foreground, alpha, states = run(network(variant), clip, 0.6)
    check_recorded(f"rvm_{variant}", foreground=foreground, alpha=alpha, r1=states[-1].r1, r4=states[-1].r4)
