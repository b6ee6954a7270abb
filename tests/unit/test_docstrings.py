"""Docstrings say something, and the tree of errors at the head of `errors` is the tree of its classes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from avatarlab_ops import errors

ROOT = Path(__file__).parents[2]
# By a pattern: to parse every file takes seconds.
EMPTY = re.compile(r'^ *"""\s*"""$|\A(?!"""|#|\s*\Z)', re.MULTILINE)
LINE = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)", re.MULTILINE)


def _drawn() -> dict[str, str]:
    """Each class of the drawing with the one above it."""
    found: dict[str, str] = {}
    above = ["AvatarlabError"]
    for line in LINE.finditer(errors.__doc__ or ""):
        depth = len(line["indent"]) // 4 + 1
        found[line["name"]] = above[depth - 1]
        above[depth:] = [line["name"]]
    return found


def test_the_tree_of_errors_names_every_class_below_its_own_base() -> None:
    classes = [
        one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__
    ]
    real = {one.__name__: one.__bases__[0].__name__ for one in classes if one is not errors.AvatarlabError}
    assert _drawn() == real


@pytest.mark.parametrize("folder", ["avatarlab_ops", "plugins", "dags", "config", "tools", "benchmarks"])
def test_no_docstring_is_empty(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.py"))
    assert files
    assert [str(file.relative_to(ROOT)) for file in files if EMPTY.search(file.read_text())] == []
