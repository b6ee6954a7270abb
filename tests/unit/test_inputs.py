"""Whose objects a request names: no field with a reference is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from avatarlab_ops.fields import ANY_S3
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.trust import inputs


def references(schema: Any, field: str = "") -> Iterator[str]:
    """Each place of a schema in which a reference may stand, by the names on the way to it."""
    if isinstance(schema, list):
        for one in schema:
            yield from references(one, field)
    elif isinstance(schema, dict):
        if schema.get("pattern") == ANY_S3:
            yield field
        for name, one in schema.get("properties", {}).items():
            yield from references(one, f"{field}.{name}" if field else name)
        for part in ("anyOf", "allOf", "items", "additionalProperties"):
            yield from references(schema.get(part), field)
        if link := schema.get("$ref"):
            yield from references(AvatarRequest.model_json_schema()["$defs"][link.rsplit("/", 1)[1]], field)


def test_every_reference_of_the_contract_is_asked_whose_it_is() -> None:
    found = set(references(AvatarRequest.model_json_schema()))
    assert "avatar.uri" in found
    assert found == {f"{field}.uri" for field in inputs.NAMING}
