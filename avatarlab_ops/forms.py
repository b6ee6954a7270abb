"""The contract as forms and docs/request.md show it: flat fields, each with a schema of its own."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from avatarlab_ops import language_tags
from avatarlab_ops.fields import ANY_S3, COLOUR, KEY, MAX_LINES, MAX_PAUSE_S, MAX_SCRIPT_CHARACTERS, NAME
from avatarlab_ops.request import LONGEST_TITLE, AvatarRequest

SECTIONS = {
    "avatar": "Avatar",
    "voice": "Voice",
    "voice_sample": "Voice",
    "narration": "Voice",
    "lexicon": "Voice",
    "background": "Background",
    "output": "Video",
    "captions": "Video",
    "engines": "Engines",
    "motion": "Motion",
    "seed": "Motion",
    "labels": "Bookkeeping",
    "idempotency_key": "Bookkeeping",
    "deadline": "Bookkeeping",
}
TYPES = {
    "string": "text",
    "array": "list",
    "object": "names and values",
    "integer": "whole number",
    "boolean": "`true` or `false`",
}
LIMITS = {
    "minimum": "from {}",
    "maximum": "to {}",
    "maxLength": "at most {:,} characters",
    "maxProperties": "at most {} names",
}
PATTERNS = {  # instead of a regular expression that few people read
    ANY_S3: "`s3://…`",
    NAME: "at most 64 letters, digits and `_.-`, a letter or digit first",
    KEY: "1 to 200 letters, digits and `_.:-`",
    COLOUR: "`#rrggbb`",
    language_tags.PATTERN: "such as `en-US`",
}


@functools.cache
def form_schema() -> dict[str, dict[str, Any]]:
    """Flat field name (`output.fps`) to a self-contained JSON Schema with title, section and default.

    A form or Airflow's params need nothing else; a schema without `default` is a required field. Every task
    asks for it, so it is made once a process: copy what you change.
    """
    whole = AvatarRequest.model_json_schema()
    form: dict[str, dict[str, Any]] = {}
    for name, schema in whole["properties"].items():
        part = whole["$defs"].get(schema.get("$ref", "").rpartition("/")[2])
        if part is None:
            form[name] = _field(name, schema)
            continue
        for child, child_schema in part["properties"].items():
            form[f"{name}.{child}"] = _field(f"{name}.{child}", child_schema)
    form["script"] |= {"type": ["string", "array", "null"], "format": "multiline", "minLength": 1}
    form["script"] |= {"maxLength": MAX_SCRIPT_CHARACTERS, "examples": ["Hello and welcome."]}
    for name in ("labels",):
        form[name].setdefault("default", {})
    return form


def flat_schema(model: type[BaseModel], sections: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The fields of a model without nested parts as `form_schema` gives those of a request."""
    properties = model.model_json_schema()["properties"]
    return {
        name: _field(name, schema) | ({"section": sections[name]} if name in sections else {})
        for name, schema in properties.items()
    }


def _field(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """One field without references and unions; an optional one has the type [..., "null"]."""
    field = {key: value for key, value in schema.items() if key not in ("anyOf", "propertyNames")}
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        field |= options[0] | {"type": [options[0]["type"], "null"]}
        if "enum" in field:
            field["enum"] = [*field["enum"], None]
    section = SECTIONS.get(name.partition(".")[0])
    return field | ({"section": section} if section else {})


def markdown() -> str:
    """docs/request.md: every field with type, default, limits and an example."""
    lines = [
        "# The request",
        "",
        "<!-- Written by `python -m avatarlab_ops.forms > docs/request.md`; a test keeps it current. -->",
        "",
        "The Airflow form, `POST /api/v2/dags/avatar_render/dagRuns` (as `conf`) and `avatarlab render` take",
        "the same fields. A nested field may also be written with a dot: `output.fps`. Unknown fields are",
        "refused.",
        "",
        "| field | type and limits | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, schema in form_schema().items():
        needed = "required without a narration" if name == "script" else "required"
        default = f"`{json.dumps(schema['default'])}`" if "default" in schema else needed
        lines.append(f"| `{name}` | {_limits(schema)} | {default} | {schema['description']} |")
    example = {
        "script": [{"text": "Hello and welcome.", "pause_s": 0.6}, {"text": "Let us begin."}],
        "avatar": {"uri": "s3://inputs/demo/astronaut.png"},
        "background": {"kind": "colour", "colour": "#1e293b"},
        "output": {"aspect": "9:16", "resolution": "720p"},
        "captions": "burned",
    }
    lines += [
        "",
        "A line of a `script` that is a list has `text`; "
        f"`pause_s`, the silence after it, from 0 to {MAX_PAUSE_S:g} seconds (left out: a natural pause); "
        f"`chapter`, the title of a chapter that begins with it, 1 to {LONGEST_TITLE} characters. A list has",
        f"at most {MAX_LINES:,} lines.",
    ]
    lines += ["", "An example:", "", "```json", json.dumps(example, indent=2), "```"]
    return "\n".join(lines)


def _limits(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    kind = schema.get("type", "")
    given: list[str] = kind if isinstance(kind, list) else [kind]
    kinds = [TYPES.get(one, one) for one in given if one != "null"]
    if "null" in kind and schema.get("default", "") is not None:
        kinds.append("null")
    words = [" or ".join([", ".join(kinds[:-1]), kinds[-1]] if kinds[1:] else kinds)]
    words += [PATTERNS.get(schema["pattern"], f"`{schema['pattern']}`")] if "pattern" in schema else []
    limits = " ".join(word.format(schema[key]) for key, word in LIMITS.items() if key in schema)
    return "; ".join([*words, limits] if limits else words)


if __name__ == "__main__":
    print(markdown())
