"""Template requests: JSON with {{name}} in its texts, filled with the variables of a row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from avatarlab_ops import strict_json
from avatarlab_ops.bulk.languages import LANGUAGE
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.fields import IN_BRACES, PLACEHOLDER


def parse(text: bytes) -> Json:
    """The template. Raises RequestInvalid when it is no JSON object or has no placeholder.

    A name in one may be any words without braces: it is that of a column.
    """
    template = strict_json.loads(text, "the template")
    if not isinstance(template, dict):
        raise RequestInvalid("the template must be a JSON object, a request with {{name}} in its texts")
    if long := next((left for left in _left(template) if not PLACEHOLDER.fullmatch(left)), None):
        raise RequestInvalid(f"the placeholder {long[:80]} has no name of 1 to 64 characters in one line")
    if not names(template):
        raise RequestInvalid("the template has no placeholder: write {{name}} where a row's variable goes")
    return template


def names(template: Any) -> frozenset[str]:
    """Every variable that the template needs."""
    return frozenset(match[1] for left in _left(template) if (match := PLACEHOLDER.fullmatch(left)))


def _left(template: Any) -> Iterator[str]:
    """Everything in double braces."""
    if isinstance(template, str):
        yield from IN_BRACES.findall(template)
    elif isinstance(template, (Mapping, list)):
        for part in template.values() if isinstance(template, Mapping) else template:
            yield from _left(part)


def check(needed: Collection[str], given: Collection[str]) -> None:
    """Raise RequestInvalid for a variable that is missing, or that the template has no place for.

    The language needs no place: see `request`.
    """
    missing, unused = sorted(set(needed) - set(given)), sorted(set(given) - set(needed) - {LANGUAGE})
    told = [f"no variable {name!r}, which the template needs" for name in missing]
    told += [f"variable {name!r} has no place in the template" for name in unused]
    if told:
        raise RequestInvalid("; ".join(told))


def request(template: Json, variables: Mapping[str, str]) -> Json:
    """The template filled for a row; its language is the request's where {{language}} says nothing else.

    Raises RequestInvalid like `check`.
    """
    needed = names(template)
    check(needed, variables)
    own = {LANGUAGE: variables[LANGUAGE]} if LANGUAGE in variables.keys() - needed else {}
    return dict(fill(template, variables)) | own


def fill(template: Any, variables: Mapping[str, str]) -> Any:
    """A copy of the template with each placeholder replaced, in one pass: a value is never filled again."""
    if isinstance(template, str):
        return PLACEHOLDER.sub(lambda match: variables[match[1]], template)
    if isinstance(template, Mapping):
        return {name: fill(part, variables) for name, part in template.items()}
    if isinstance(template, list):
        return [fill(part, variables) for part in template]
    return template
