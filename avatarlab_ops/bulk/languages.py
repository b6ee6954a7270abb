"""One row in many languages: a column `script:es` holds the script in Spanish, `voice:es` its voice.

Such a row is one item for each language whose script, or recording of it (`narration.uri:es`), it has. The
variables of a template are told apart alike, `title:es`; there `{{language}}` stands for the language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from avatarlab_ops import language_tags
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import RequestInvalid

LANGUAGE, SCRIPT = "language", "script"
_SAID = (SCRIPT, "narration.uri", "narration")  # a row has a language if one of these columns has it


def split(column: str) -> tuple[str, str]:
    """(field or variable, language as a tag is usually written) of a column; "" where it says none.

    Labels may hold any sign.
    """
    if column.startswith("labels."):
        return column, ""
    name, _, language = column.partition(":")
    return name, language_tags.normal(language) or language


def usual(column: str) -> str:
    """A column's name with its language as a tag is usually written: script:pt_br is script:pt-BR."""
    name, language = split(column)
    return f"{name}:{language}" if language else column


def check_once(columns: Iterable[str]) -> None:
    """Raise RequestInvalid for columns that say one thing twice, as script:pt_BR and script:pt-BR do."""
    seen: dict[str, str] = {}
    for column in columns:
        if (first := seen.setdefault(usual(column), column)) != column:
            raise RequestInvalid(f"columns {first!r} and {column!r} are the same; leave one out")


def names(columns: Iterable[str]) -> list[str]:
    """The fields or variables that each item gets from these columns."""
    told = [split(column) for column in columns]
    also = [LANGUAGE] * any(language for _, language in told)
    return list(dict.fromkeys([name for name, _ in told] + also))


def items(values: Json, *, template: bool) -> list[tuple[str, Json]]:
    """(language, values) of each item of a row, in the order of its columns; "" for a row without languages.

    Raises RequestInvalid where the language or the script is also given for all, or no language has either.
    """
    told = {column: split(column) for column in values}
    if not any(language for _, language in told.values()):
        return [("", values)]
    check_once(told)
    told_by_columns = {LANGUAGE} if template else {LANGUAGE, SCRIPT}
    if twice := told_by_columns & values.keys():
        raise RequestInvalid(f"{', '.join(sorted(twice))}: columns such as script:es say it; leave it out")
    languages = [language for name, language in told.values() if language and (template or name in _SAID)]
    if not languages:
        raise RequestInvalid("no script in any language; fill a column such as script:es or narration.uri:es")
    return [(language, _in(language, values, told)) for language in dict.fromkeys(languages)]


def _in(language: str, values: Json, told: Mapping[str, tuple[str, str]]) -> Json:
    """What is said for all, and over it what is said for the language."""
    common = {name: values[column] for column, (name, of) in told.items() if not of}
    own = {name: values[column] for column, (name, of) in told.items() if of == language}
    return common | own | {LANGUAGE: language}
