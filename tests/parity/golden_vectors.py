"""Golden vectors of the networks' originals, outside this repository, and small recorded ones inside it.

../shared/models holds inputs and outputs of the original code under keyed weights. Where it is absent those
tests skip and the vectors of `vectors/` stand in: outputs of this project's own networks, recorded when
they had just passed against the golden ones (AVATARLAB_RECORD=1 pytest tests/parity writes them anew).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

MODELS = Path(__file__).resolve().parents[3] / "shared" / "models"
VECTORS = Path(__file__).parent / "vectors"
SAMPLES = 96  # values kept of each recorded tensor

Golden = dict[str, Any]


def shared_file(name: str) -> Path:
    path = MODELS / name
    if not path.exists():
        pytest.skip(f"{path} is absent: no vectors of the original code on this machine")
    return path


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Golden]:
    """golden("rvm_resnet50") -> arrays as tensors, `meta` parsed."""

    def load(name: str) -> Golden:
        with np.load(shared_file(f"golden/golden_{name}.npz")) as file:
            arrays = {key: file[key] for key in file.files}
        return {key: _value(array) for key, array in arrays.items()}

    return load


def _value(array: NDArray[Any]) -> Any:
    if array.dtype.kind == "U":
        text = str(array)
        return json.loads(text) if text.startswith("{") else text
    return torch.from_numpy(array) if array.ndim else array.item()


@pytest.fixture(scope="session")
def released_keys() -> Callable[[str, str], dict[str, list[int]]]:
    """released_keys("rvm", "rvm_resnet50.pth") -> {key: shape} of the released checkpoint."""

    def load(family: str, checkpoint: str) -> dict[str, list[int]]:
        entry = json.loads(shared_file(f"keys_{family}.json").read_text())[checkpoint]
        entry = entry.get("keys", entry)
        return {key: value["shape"] for key, value in entry.items()}

    return load


def shapes(module: torch.nn.Module) -> dict[str, list[int]]:
    return {key: list(tensor.shape) for key, tensor in module.state_dict().items()}


def close(actual: Tensor, expected: Tensor, atol: float) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), atol=atol, rtol=0)


def noise(seed: int, *shape: int) -> Tensor:
    """Uniform in -1..1, the same on every machine."""
    return torch.from_numpy(np.random.RandomState(seed).random_sample(shape) * 2 - 1).float()


def normal(seed: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def check_recorded(name: str, atol: float = 1e-4, **tensors: Tensor) -> None:
    """Compare evenly spread values of each tensor with those recorded under `name`."""
    sampled = {key: _sample(tensor) for key, tensor in tensors.items()}
    path = VECTORS / f"{name}.npz"
    if os.environ.get("AVATARLAB_RECORD"):
        VECTORS.mkdir(exist_ok=True)
        np.savez_compressed(path, **sampled)
    with np.load(path) as recorded:
        assert set(recorded.files) == set(sampled)
        for key, values in sampled.items():
            np.testing.assert_allclose(values, recorded[key], atol=atol, rtol=0, err_msg=f"{name}: {key}")


def _sample(tensor: Tensor) -> NDArray[Any]:
    flat = tensor.detach().flatten()
    return flat[torch.linspace(0, flat.numel() - 1, min(SAMPLES, flat.numel())).long()].numpy()
