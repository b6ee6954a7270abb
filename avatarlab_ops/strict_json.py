"""JSON as a request may be written: every key once, and no more text than a request needs."""

from __future__ import annotations

import json
from typing import Any

from avatarlab_ops.errors import RequestInvalid

MAX_BYTES = 1_000_000


def loads(text: str | bytes, what: str = "the request") -> Any:
    """Parse JSON. Raises RequestInvalid that names a key given twice, the size, or the place of a mistake."""
    if len(text) > MAX_BYTES:
        raise RequestInvalid(f"{what} has {len(text):,} bytes; at most {MAX_BYTES:,} are read")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise RequestInvalid(f"{what} gives {key!r} twice; give it once")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise RequestInvalid(f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestInvalid(f"{what} is nested too deeply; docs/request.md shows its shape") from error
