"""Progress as engines see it: a call with (done, total, unit)."""

from collections.abc import Callable

Report = Callable[[int, int, str], None]


def silent(done: int, total: int, unit: str) -> None:
    """Ignore progress; the default where nobody watches."""
