"""Vocos against the original, and its inverse transform against torch's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from golden_vectors import Golden, check_recorded, close, noise, shapes
from keyed import fill
from torch import nn

from avatarlab_ops.engines.speech.small_e.vocos import HOP, WINDOW, InverseSTFT, Vocos


def adjust(model: nn.Module) -> None:
    """What the vectors change after the keyed fill: scales around one, quiet magnitudes."""
    for key, tensor in model.state_dict().items():
        if key.endswith(".scale.weight"):
            tensor.add_(1)
        if key == "head.out.bias":
            tensor[: WINDOW // 2 + 1] -= 2


@functools.cache
def network() -> Vocos:
    model = Vocos().eval()
    fill(model, gains={"head.out": 0.5}, skip="istft.window")
    adjust(model)
    return model


def test_keys_and_shapes_are_the_released_ones(released_keys: Callable[..., Any]) -> None:
    assert shapes(network()) == released_keys("smalle", "vocos-encodec-24khz/pytorch_model.bin")


def test_matches_the_original(golden: Callable[[str], Golden]) -> None:
    g = golden("vocos")
    features = network().feature_extractor(g["codes"])
    close(features, g["features"], 1e-5)
    close(network().backbone(features, 1), g["backbone"], 1e-4)
    close(network()(g["codes"]), g["audio"], 1e-5)


@pytest.mark.parametrize("frames", [1, 2, 5, 40])
def test_sound_is_as_long_as_its_codes(frames: int) -> None:
    codes = torch.arange(8 * 2 * frames).reshape(8, 2, frames)
    samples = network()(codes)
    assert samples.shape == (2, frames * HOP)
    assert samples.isfinite().all()


def test_the_inverse_transform_undoes_a_transform() -> None:
    samples = noise(1, 1, 20 * HOP)
    edge = (WINDOW - HOP) // 2
    window = torch.hann_window(WINDOW)
    frames = nn.functional.pad(samples, (edge, edge)).unfold(1, WINDOW, HOP) * window
    spectrum = torch.fft.rfft(frames, dim=2).mT
    close(InverseSTFT()(spectrum), samples, 1e-5)


def test_matches_what_was_recorded() -> None:
    codes = torch.arange(4 * 12).reshape(4, 1, 12) * 37 % 1024
    check_recorded("vocos", 1e-5, audio=network()(codes))
