"""One thread and no gradients for every parity test, and the vectors as fixtures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from golden_vectors import golden, released_keys

__all__ = ["golden", "released_keys"]


@pytest.fixture(autouse=True)
def _reproducible() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in one order
    with torch.inference_mode():
        yield
    torch.set_num_threads(threads)
