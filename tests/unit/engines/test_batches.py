"""Too large a batch is halved, and what comes out is the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avatarlab_ops.engines.batches import batched, is_out_of_memory
from avatarlab_ops.errors import EngineUnavailable, OutOfMemory


@given(
    items=st.lists(st.integers(), max_size=40),
    size=st.integers(1, 16),
    fits=st.lists(st.integers(1, 16), min_size=1, max_size=40),
)
def test_results_are_complete_and_in_order_whatever_fits(items, size, fits):
    """`fits`: the largest batch that memory holds at each call; it changes as neighbours come and go."""
    calls = []

    def run(batch):
        calls.append(len(batch))
        if len(batch) > fits[(len(calls) - 1) % len(fits)]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return [item * 2 for item in batch]

    assert list(batched(run, items, size)) == [item * 2 for item in items]
    assert max(calls, default=0) <= size
    assert calls == sorted(calls, reverse=True)  # never a larger batch again


def test_items_are_drawn_no_further_ahead_than_a_batch():
    drawn = []
    source = (drawn.append(i) or i for i in range(9))
    made = batched(list, source, 3)
    assert next(made) == 0
    assert drawn == [0, 1, 2]


def test_one_item_that_does_not_fit_is_named():
    def run(batch):
        raise MemoryError("no room")

    with pytest.raises(OutOfMemory, match="no room"):
        list(batched(run, range(8), 8))


def test_other_errors_pass_as_they_are():
    def run(batch):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(batched(run, range(8), 8))


def test_what_numpy_and_torch_say_when_memory_is_short_is_understood():
    for allocate in (lambda: np.empty(1 << 55, np.uint8), lambda: torch.empty(1 << 55)):
        with pytest.raises((MemoryError, RuntimeError)) as caught:
            allocate()
        assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(EngineUnavailable("a file named out of memory"))
