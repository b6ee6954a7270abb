"""One producer thread ahead of its consumer: how decoding, painting and encoding overlap."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


def prefetch(source: Iterable[T], depth: int = 4) -> Generator[T, None, None]:
    """Iterate `source` in a thread of its own, at most `depth` items ahead.

    An exception of the source is raised here, in its place. Closing the iterator (use contextlib.closing)
    stops the thread, closes the source and waits for both.
    """
    channel: _Channel[T] = _Channel(depth)
    worker = threading.Thread(target=_feed, args=(source, channel), daemon=True, name="media-prefetch")
    worker.start()
    try:
        while True:
            item = channel.take()
            if item is None:
                return
            yield item[0]
    finally:
        channel.close()
        worker.join()


class _Channel(Generic[T]):
    """A bounded queue that either end may close."""

    def __init__(self, depth: int) -> None:
        self._items: deque[T] = deque()
        self._depth = depth
        self._changed = threading.Condition()
        self._closed = self._ended = False
        self._error: BaseException | None = None

    def put(self, item: T) -> bool:
        """Wait for room; False when the consumer is gone."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._items) < self._depth)
            if not self._closed:
                self._items.append(item)
                self._changed.notify_all()
            return not self._closed

    def take(self) -> tuple[T] | None:
        """Wait for an item; None at the end, or the producer's exception."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._items) or self._ended)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return (item,)
            if self._error:
                raise self._error
            return None

    def end(self, error: BaseException | None = None) -> None:
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def _feed(source: Iterable[T], channel: _Channel[T]) -> None:
    iterator = iter(source)
    error: BaseException | None = None
    try:
        for item in iterator:
            if not channel.put(item):
                break
    except BaseException as caught:  # noqa: BLE001  (handed to the consumer, which raises it)
        error = caught
    try:
        close = getattr(iterator, "close", None)
        if close:
            close()
    except BaseException as caught:  # noqa: BLE001
        error = error or caught
    channel.end(error)
