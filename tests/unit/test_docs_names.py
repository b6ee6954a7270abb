"""The code that the documents name exists: files and, by module, their functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from avatarlab_ops.forms import form_schema
from avatarlab_ops.states import Event

ROOT = Path(__file__).parents[2]
TOPS = ("avatarlab_ops", "plugins", "dags", "config", "benchmarks", "tools", "tests", "voices", "docker")
CODE = [path for top in (*TOPS, "examples") for path in (ROOT / top).rglob("*.py")]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
FILE = re.compile(r"[\w./-]+\.py")
NAME = re.compile(r"(?:[a-z_]+\.)*([a-z_]+)\.([A-Za-z_]+)(?:\(.*\))?")
ENDS = {"py", "vtt", "srt", "jsonl", "yaml", "log", "safetensors"}  # of files that are called like a module
OTHERS = {*form_schema(), *(f"render.{event}" for event in Event)}  # fields of a request, events of webhooks


def said() -> Iterator[tuple[str, str]]:
    """Every text in backticks, with the document that holds it."""
    for document in DOCUMENTS:
        for word in re.findall(r"`([^`\n]+)`", document.read_text()):
            yield document.name, word


@cache
def defined(module: str) -> frozenset[str]:
    """What modules of that name define or import, and the modules within a package; empty for no module."""
    found: set[str] = set()
    for path in CODE:
        if module not in (path.stem, path.parent.name if path.stem == "__init__" else ""):
            continue
        found |= {other.stem for other in CODE if path.stem == "__init__" and path.parent in other.parents}
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    found.add(name)
                case ast.alias(name=name, asname=other):
                    found.add(other or name)
    return frozenset(found)


def test_every_file_of_code_that_a_document_names_exists() -> None:
    there = {f"/{path.relative_to(ROOT).as_posix()}" for path in CODE}
    named = [(document, word) for document, word in said() if FILE.fullmatch(word)]
    assert len(named) > 50
    lost = [
        (document, word) for document, word in named if not any(one.endswith(f"/{word}") for one in there)
    ]
    assert lost == []


def test_every_name_of_a_module_that_a_document_names_exists() -> None:
    lost, checked = [], 0
    for document, word in said():
        found = NAME.fullmatch(word)
        if not found or found[2] in ENDS or word in OTHERS or not (names := defined(found[1])):
            continue
        checked += 1
        if found[2] not in names:
            lost.append((document, word))
    assert checked > 10
    assert lost == []
