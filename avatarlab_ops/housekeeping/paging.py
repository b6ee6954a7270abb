"""Long listings, a part at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TypeVar

PAGE = 500  # records asked for at once
T = TypeVar("T")


def pages(items: Iterator[T]) -> Iterator[list[T]]:
    """The items, a page of at most `PAGE` at a time."""
    while page := list(islice(items, PAGE)):
        yield page
