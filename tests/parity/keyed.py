"""Weights that follow from key, shape and seed alone, so that a network can be proven without its checkpoint.

seed_k = (crc32(key) + 1000003 * seed) mod 2**32; u = RandomState(seed_k).random_sample; z = (2u - 1) sqrt(3).
    integers                         0
    .running_mean / .running_var     0.1 z / 0.5 + u
    scales (rank 0 or 1)             0.8 + 0.4 u
    other tensors of rank 0 or 1     0.05 z
    the rest                         gain * z / sqrt(fan_in), fan_in = product of all sizes but the first
All in float64, cast at the end. The same rule as shared/models/keyed_weights.py; a test holds them together.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SCALES = ("weight", "gamma", "alpha", "weight_g")


def keyed_array(key: str, shape: tuple[int, ...], seed: int = 0, gain: float = 1.0) -> NDArray[np.float64]:
    """The float64 values of the floating-point tensor `key`."""
    stream = np.random.RandomState((zlib.crc32(key.encode()) + 1000003 * seed) % 2**32)
    u = stream.random_sample(math.prod(shape)).reshape(shape)
    z = (2 * u - 1) * np.sqrt(3)
    last = key.rsplit(".", 1)[-1]
    if last == "running_mean":
        return 0.1 * z
    if last == "running_var":
        return 0.5 + u
    if len(shape) <= 1:
        return 0.8 + 0.4 * u if last in SCALES else 0.05 * z
    return gain * z / np.sqrt(math.prod(shape[1:]))


def fill(
    module: nn.Module,
    *,
    seed: int = 0,
    gain: float = 1.0,
    gains: Mapping[str, float] | None = None,
    overrides: Mapping[str, list[float]] | None = None,
    skip: str = "\0",
    prefix: str = "",
) -> None:
    """Fill every tensor of `module` whose key does not contain `skip`.

    `gains`: {part of a key: gain}, the first match wins. `prefix` is put before every key.
    """
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            key = prefix + name
            if skip in key:
                continue
            scale = next((g for part, g in (gains or {}).items() if part in key), gain)
            tensor.copy_(_value(key, tensor, seed, scale, overrides or {}))


def _value(key: str, tensor: Tensor, seed: int, gain: float, overrides: Mapping[str, list[float]]) -> Tensor:
    if key in overrides:
        return torch.tensor(overrides[key], dtype=tensor.dtype)
    if not tensor.is_floating_point():
        return torch.zeros_like(tensor)
    dtype = np.float64 if tensor.dtype == torch.float64 else np.float32
    return torch.from_numpy(np.asarray(keyed_array(key, tuple(tensor.shape), seed, gain)).astype(dtype))


def state(shapes: Mapping[str, tuple[int, ...]], gain: float = 1.0) -> dict[str, Tensor]:
    """Keyed float32 tensors for a whole checkpoint, given its keys and shapes."""
    return {
        key: torch.from_numpy(keyed_array(key, shape, gain=gain)).float() for key, shape in shapes.items()
    }
