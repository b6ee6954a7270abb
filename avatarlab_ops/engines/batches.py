"""Work in batches, smaller ones when memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import TypeVar

from avatarlab_ops.engines.device import give_back
from avatarlab_ops.errors import AvatarlabError, OutOfMemory

T = TypeVar("T")
R = TypeVar("R")

# How NumPy, torch, CUDA's libraries, ONNX Runtime and the C++ library say that an allocation failed.
_SIGNS = (
    "out of memory",
    "bad_alloc",
    "failed to allocate",
    "can't allocate",
    "unable to allocate",
    "alloc_failed",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is a failed allocation of main or GPU memory; most libraries tell it in words alone."""
    if isinstance(error, AvatarlabError):
        return isinstance(error, OutOfMemory)
    return isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in _SIGNS)


@contextmanager
def memory_errors(what: str) -> Iterator[None]:
    """Raise OutOfMemory, beginning with `what`, for whatever failed allocation happens within."""
    try:
        yield
    except AvatarlabError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise OutOfMemory(f"{what}: {error}") from error
        raise


def batched(run: Callable[[Sequence[T]], Iterable[R]], items: Iterable[T], size: int) -> Iterator[R]:
    """Yield what `run` makes of the items, in their order, at most `size` items at a time, streaming.

    When memory runs out the same items are run again in halves, and all that follow in batches of that size;
    so a `run` that fails must leave nothing changed. Raises OutOfMemory when one item alone does not fit.
    """
    source = iter(items)
    again: list[T] = []
    while batch := [*again[:size], *islice(source, max(0, size - len(again)))]:
        again = again[size:]
        made = _attempt(run, batch)
        if made is not None:
            yield from made
            continue
        size, again = max(1, len(batch) // 2), batch + again
        give_back()  # a smaller batch finds it in one piece


def _attempt(run: Callable[[Sequence[T]], Iterable[R]], batch: list[T]) -> list[R] | None:
    """What `run` makes of the batch; None when it is to be halved."""
    try:
        with memory_errors(f"A batch of {len(batch)} does not fit"):
            return list(run(batch))
    except OutOfMemory:
        if len(batch) == 1:
            raise
        return None
