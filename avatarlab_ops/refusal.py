"""A broken contract as a person is told of it: every field that breaks it, what is wrong, what was given."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from avatarlab_ops.errors import InputError, ReferenceRefused, RequestInvalid, ScriptRefused
from avatarlab_ops.printable import one_line


def refusal(error: ValidationError) -> InputError:
    """What a person is told of a broken contract: every field that breaks it."""
    return refused(error.errors(include_url=False))


def refused(details: list[ErrorDetails]) -> InputError:
    """What a person is told of a broken contract, from the details of pydantic's error."""
    kinds: dict[str, type[InputError]] = {
        "script_refused": ScriptRefused,
        "reference_refused": ReferenceRefused,
    }
    classes = {kinds.get(detail["type"], RequestInvalid) for detail in _meant(details)}
    chosen = classes.pop() if len(classes) == 1 else RequestInvalid
    return chosen("; ".join(_line(detail) for detail in _meant(details)))


def faults(details: list[ErrorDetails]) -> list[dict[str, str]]:
    """What is wrong, field by field: {"field": "output.fps", "detail": what is wrong with it}."""
    return [{"field": _where(detail), "detail": _fault(detail)} for detail in _meant(details)]


def _meant(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Drop what a union adds: a script that is text was not meant as a list, and the other way round."""
    mismatched = {"string_type", "list_type"}
    kept = [d for d in details if d["loc"][:1] != ("script",) or d["type"] not in mismatched]
    return kept or details[:1]


def _line(detail: ErrorDetails) -> str:
    where = _where(detail)
    return f"{where}: {_fault(detail)}" if where else _fault(detail)


def _where(detail: ErrorDetails) -> str:
    names = (one_line(part) for part in detail["loc"])  # a key is whatever somebody wrote
    return ".".join(name for name in names if not name.startswith(("function-", "list[")))


def _fault(detail: ErrorDetails) -> str:
    if detail["type"] == "extra_forbidden":
        return "no such field; docs/request.md lists the fields"
    message = detail["msg"].removeprefix("Value error, ")
    given = detail["input"]
    shown = isinstance(given, (str, int, float)) and len(repr(given)) <= 80 and _where(detail)
    return f"{message} (given: {given!r})" if shown else message
