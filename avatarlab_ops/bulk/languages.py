"""One row in many languages: a column `script:es` holds the script in Spanish, `voice:es` its voice.

Such a row is one item for each language whose script, or recording of it (`narration.uri:es`), it has. The
variables of a template are told apart alike, `title:es`; there `{{language}}` stands for the language.
`voice:en` is meant for `script:en-US`, too, where no `voice:en-US` stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

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

    Raises RequestInvalid where the language, the script or its recording is also given for all, or no
    language has either of these two.
    """
    told = {column: split(column) for column in values}
    if not any(language for _, language in told.values()):
        return [("", values)]
    check_once(told)
    told_by_columns = {LANGUAGE} if template else {LANGUAGE, *_SAID}
    if twice := told_by_columns & values.keys():
        raise RequestInvalid(
            f"{', '.join(sorted(twice))}: columns such as script:es or narration.uri:es say it; leave it out"
        )
    languages = _languages(told, template=template)
    if not languages:
        raise RequestInvalid("no script in any language; fill a column such as script:es or narration.uri:es")
    columns = _columns(told, languages)
    return [(language, _in(language, values, told, columns)) for language in languages]


def unused(values: Json, *, template: bool) -> list[str]:
    """A note for each column in a language of which none of the row's items is made."""
    told = {column: split(column) for column in values}
    languages = _languages(told, template=template)
    used = set(_columns(told, languages).values())
    there = ", ".join(f"{SCRIPT}:{language}" for language in languages)
    return [
        f"{column} is not used: the row has no {SCRIPT}:{of}, but {there}"
        for column, (_, of) in told.items()
        if of and languages and column not in used
    ]


def _languages(told: Mapping[str, tuple[str, str]], *, template: bool) -> list[str]:
    """Those of a row's items, in the order of its columns."""
    found = (language for name, language in told.values() if language and (template or name in _SAID))
    return list(dict.fromkeys(found))


def _columns(told: Mapping[str, tuple[str, str]], languages: Sequence[str]) -> dict[tuple[str, str], str]:
    """The column of each (language, field): its own, else the first of what may be meant, as voice:en is."""
    own = {(of, name): column for column, (name, of) in told.items() if of in languages}
    meant = {
        (language, name): column
        for column, (name, of) in reversed(list(told.items()))
        if of and of not in languages
        for language in language_tags.spoken(of, languages)
    }
    return meant | own


def _in(
    language: str, values: Json, told: Mapping[str, tuple[str, str]], columns: Mapping[tuple[str, str], str]
) -> Json:
    """What is said for all, and over it what is said for the language."""
    common = {name: values[column] for column, (name, of) in told.items() if not of}
    own = {name: values[column] for (of, name), column in columns.items() if of == language}
    return common | own | {LANGUAGE: language}
