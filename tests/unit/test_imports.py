"""What a process loads: a function imports for itself only what is slow, and light doors stay light.

Read off the source: `[tool.avatarlab-imports] slow` in pyproject.toml names what is slow to load.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SLOW = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["avatarlab-imports"]["slow"])
# By patterns: to parse every file takes seconds.
IMPORT = re.compile(
    r"^(?P<indent> *)(from (?P<base>\S+) import \(?(?P<names>(?<=\()[^)]*|[\w, ]+)"
    r"|import (?P<modules>[\w., ]+))",
    re.MULTILINE,
)
FOR_TYPES = r"^if TYPE_CHECKING:\n(?:    .*\n|\n)+"
NOT_RUN = re.compile(rf'\A(?s:""".*?""")|{FOR_TYPES}', re.MULTILINE)
CONTRACT = "avatarlab_ops.request"
MEDIA = {"av", "c2pa", "cv2", "onnxruntime", "scipy", "soundfile", "torch"}
FOLDERS = {"avatarlab_ops": ROOT, "tools": ROOT}
FOLDERS |= {name: ROOT / name for name in ("dags", "plugins", "config")}  # where Airflow finds modules
DOORS = {  # they load nothing slow; an api-server loads what it serves with, but no media
    "a DAG file": ["avatar_render", "avatar_regenerate", "avatar_housekeeping"],
    "a plugin, in every part of Airflow": ["avatarlab_plugin", "avatarlab_triggers", "avatarlab_weights"],
    "the command line": ["avatarlab_ops.cli"],
    "the contract and the pipeline": ["avatarlab_ops.request", "avatarlab_ops.pipeline"],
    "a preview's process before it forks": ["avatarlab_ops.previews.worker"],
    "set-up": ["tools.setup"],
    "an api-server": ["avatarlab_web.app", "avatarlab_web.door"],
}


def _files() -> Iterator[tuple[str, Path]]:
    for folder, top in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            parts = path.relative_to(top).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


MODULES = dict(_files())


@cache
def _imports(module: str) -> tuple[tuple[bool, int, frozenset[str]], ...]:
    """(within a function, line, what it names) for each import of a module that runs."""
    return tuple(_found(module)) if module in MODULES else ()


def _found(module: str) -> Iterator[tuple[bool, int, frozenset[str]]]:
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    text = NOT_RUN.sub(lambda block: "\n" * block[0].count("\n"), path.read_text())
    for one in IMPORT.finditer(text):
        line = text.count("\n", 0, one.start()) + 1
        names = [part.split(" as ")[0].strip() for part in (one["names"] or one["modules"]).split(",")]
        if base := one["base"]:
            base = package if base == "." else base
            names = [f"{base}.{name}" if f"{base}.{name}" in MODULES else base for name in names]
        yield bool(one["indent"]), line, frozenset(names)


def _slow(names: Iterable[str]) -> set[str]:
    """What is slow of all that is loaded with these modules."""
    loaded, todo = set[str](), list(names)
    while todo:
        name = todo.pop()
        if name not in loaded:
            loaded.add(name)
            todo += _next(name)
    return loaded & SLOW


@cache
def _next(name: str) -> set[str]:
    """What a module, its package first, imports as soon as it is loaded."""
    found = {one for within, _, ones in _imports(name) if not within for one in ones}
    return found | {name.rpartition(".")[0]} - {""}


def _of_one_command(module: str, names: frozenset[str]) -> bool:
    """The command line has thirty commands, and loads of our own what one needs when it is called."""
    return module.startswith("avatarlab_ops.cli.") and names <= MODULES.keys()


def _named(one: re.Match[str]) -> set[str]:
    """What an import names, each by its module and own name, with the name that it is given here."""
    parts = [part.strip() for part in re.sub(r"#.*", "", one["names"] or one["modules"]).split(",")]
    return {f"{one['base'] or ''}.{part}" for part in parts if part}


def test_no_file_imports_twice_what_it_has() -> None:
    wrong = []
    for path in MODULES.values():
        found = list(IMPORT.finditer(path.read_text()))
        at_the_top = {name for one in found if not one["indent"] for name in _named(one)}
        again = {name for one in found if one["indent"] for name in _named(one)} & at_the_top
        wrong += [f"{path.relative_to(ROOT)}: {name}" for name in sorted(again)]
    assert not wrong, "it is imported at the top: leave out the other one:\n" + "\n".join(wrong)


def test_for_types_alone_is_imported_only_what_does_not_run_anyway() -> None:
    wrong = []
    for module, path in MODULES.items():
        runs = {name for within, _, names in _imports(module) if not within for name in names}
        for block in re.findall(FOR_TYPES, path.read_text(), re.MULTILINE):
            bases = {one["base"] for one in IMPORT.finditer(block)} & MODULES.keys()
            loaded = {base for base in bases if any(f"{name}.".startswith(f"{base}.") for name in runs)}
            wrong += [f"{path.relative_to(ROOT)}: {base}" for base in sorted(loaded)]
    assert not wrong, "it is loaded anyway: import it plainly:\n" + "\n".join(wrong)


def test_a_function_imports_for_itself_what_is_slow_or_says_why() -> None:
    wrong = []
    for module, path in MODULES.items():
        local = [(line, names) for within, line, names in _imports(module) if within]
        if local:
            lines, loaded = path.read_text().splitlines(), _slow([module])
            wrong += [
                f"{path.relative_to(ROOT)}:{line}: {lines[line - 1].strip()}"
                for line, names in local
                if "#" not in lines[line - 1]
                and not _slow(names) - loaded
                and not _of_one_command(module, names)
            ]
    assert not wrong, "import it at the top, or say why not in a comment on its line:\n" + "\n".join(wrong)


@pytest.mark.parametrize("door", DOORS)
def test_light_doors_stay_light(door: str) -> None:
    slow = _slow(DOORS[door])
    if door == "an api-server":
        slow &= MEDIA
    elif door != "the command line":
        slow.discard(CONTRACT)
    assert not slow
