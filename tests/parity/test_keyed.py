"""The weights rule used here is the one that the golden vectors were made with."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from golden_vectors import shared_file
from keyed import keyed_array

CASES = [
    ("a.conv.weight", (4, 3, 2), 1.3),
    ("a.bn.weight", (5,), 1.0),
    ("a.bn.bias", (5,), 1.0),
    ("a.bn.running_mean", (5,), 1.0),
    ("a.bn.running_var", (5,), 1.0),
    ("a.gamma", (), 1.0),
]


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize(("key", "shape", "gain"), CASES)
def test_the_rule_is_the_shared_one(key: str, shape: tuple[int, ...], gain: float, seed: int) -> None:
    spec = importlib.util.spec_from_file_location("keyed_weights", shared_file("keyed_weights.py"))
    assert spec is not None
    assert spec.loader is not None
    shared = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(shared)
    expected = shared.keyed_array(key, shape, "float32", seed, gain)
    np.testing.assert_array_equal(keyed_array(key, shape, seed, gain).astype("float32"), expected)


def test_the_rule_has_not_moved() -> None:
    values = keyed_array("a.conv.weight", (2, 2), seed=1, gain=2.0).ravel()
    np.testing.assert_allclose(values, RECORDED, atol=1e-12)


RECORDED = [-0.30228475313361475, -0.38113126046315865, 1.4887559011935503, -0.5104461635957714]
