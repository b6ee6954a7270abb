"""The set of a backup's names: as a set, and small in memory however many they are."""

from __future__ import annotations

import tracemalloc

from avatarlab_ops.backup.shelf import Shelf


def test_it_is_a_set_in_order() -> None:
    with Shelf() as shelf:
        shelf.add(iter(["b", "a", "b"]))
        shelf.add(["c"])
        shelf.discard("a")
        shelf.discard("never there")
        assert (list(shelf), len(shelf), "b" in shelf, "a" in shelf) == (["b", "c"], 2, True, False)


def test_a_hundred_thousand_names_take_no_more_memory_than_few() -> None:
    tracemalloc.start()
    try:
        with Shelf() as shelf:
            shelf.add(f"artifacts/{number:064x}/video.mp4" for number in range(100_000))
            assert len(shelf) == 100_000
            _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000, "a set of them takes 15 MB"
