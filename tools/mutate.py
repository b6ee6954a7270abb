"""`make mutate`: does a unit test notice when a line of the product is changed?

A seeded sample of the changes that Cosmic Ray makes (an operator, a number, a branch, an `or`), each in a
copy of the checkout, each met by the unit tests of its own module. Every run is forked from a process that
has loaded the libraries already, as starting Python costs more than the tests do.

    python -m tools.mutate [--seed 8] [--sample 200] [--only captions]

Changes that nobody could see, of 100 in captions and script (seeds 8 and 9):
- a bound that another line holds already: a clause's end at a text's first letter, the width of no letters,
  that of a control character;
- a number that is never read: the start of the first caption's predecessor;
- the softness of a rim by a quarter of a pixel;
- `frozen` of a dataclass;
- two conditions that mean the same: a warning that a refusal overtakes, a list of no chapters.
Of 183 in all areas (seed 8, 2026-12-01: 165 noticed), besides:
- `strict` of a zip over lists of one length; a comparison of numbers of sentences, which only grow;
- a usual frame rate that is whole, which rounding gives as well;
- one row of pixels among the lengths of edges, and the size of a fault that outweighs all others anyhow;
- the 40th character of an excerpt in a refusal.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
PACKAGE, TESTS = "avatarlab_ops", "tests/unit"
AREAS = {  # what is changed -> the tests that have to notice
    "script.py": ("test_script.py", "reading"),
    "reading": ("reading", "test_script.py"),
    "media/captions.py": ("test_media_captions.py",),
    "request.py": ("test_request.py",),
    "bulk/rows.py": ("test_bulk_rows.py",),
    "plan.py": ("test_plan.py", "test_fingerprint.py"),
    "media/framing.py": ("test_media_framing.py",),
    "retention.py": ("test_retention.py",),
}
LIBRARIES = (
    "av",
    "cv2",
    "hypothesis",
    "num2words",
    "numpy",
    "pydantic",
    "pytest",
    "scipy.signal",
    "soundfile",
)
SKIPPED = ("BitOr", "BitAnd", "BitXor", "Shift", "Pow", "Mod", "_Is", "Decorator", "Variable")  # mostly types
QUICK = (  # no plugins and no servers' fixtures, which take longer than the tests; no loop without end
    "-x", "-q", "--noconftest", "-p", "pytest_timeout", "--timeout", "60", "-p", "no:cacheprovider",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change that Cosmic Ray makes: the `occurrence`-th place in `file` where `operator` applies."""

    area: str
    file: str
    operator: str
    occurrence: int

    def sources(self) -> tuple[str, str]:
        """The file as it is and as it would be."""
        source = Path(PACKAGE, self.file).read_text()
        return source, str(mutate_code(source, get_operator(self.operator)(), self.occurrence))


def main() -> None:
    """Try a sample of changes and tell which were noticed."""
    parser = argparse.ArgumentParser(prog="mutate", description="Does a unit test notice a changed line?")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--sample", type=int, default=200, help="changes, over all areas")
    parser.add_argument("--only", default="", help="areas whose name holds this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        _copy(Path(folder))
        os.chdir(folder)
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True  # a change of equal length within a second would go unseen
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        for name in LIBRARIES:
            importlib.import_module(name)
        for area in AREAS:
            if options.only in area:
                _try(_sample(area, options.sample // len(AREAS), options.seed))


def _copy(folder: Path) -> None:
    """What git knows of this checkout, as it lies here."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, names.decode().split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)


def _sample(area: str, size: int, seed: int) -> list[Change]:
    """Some of the changes that are possible in an area: places by chance, at each one of its changes."""
    root = Path(PACKAGE, area)
    places: dict[tuple[str, object], list[Change]] = {}
    for path in sorted(root.rglob("*.py")) if root.is_dir() else [root]:
        tree = get_ast(path.read_text())
        for name in operator_names():
            if any(part in name for part in SKIPPED) or (operator := get_operator(name)).arguments():
                continue
            found = [at for node in ast_nodes(tree) for at in operator().mutation_positions(node)]
            for occurrence, at in enumerate(found):
                change = Change(area, str(path.relative_to(PACKAGE)), name, occurrence)
                places.setdefault((str(path), at), []).append(change)
    chance = random.Random(f"{seed} {area}")  # noqa: S311  a sample, no secret
    chosen = chance.sample(sorted(places, key=str), min(size, len(places)))
    return [chance.choice(places[place]) for place in chosen]


def _try(changes: list[Change]) -> None:
    """Tell how many changes of one area were noticed, and show those that were not."""
    area = changes[0].area
    if _noticed(area):
        raise SystemExit(f"{area}: its tests fail as they are")
    survived = 0
    for change in changes:
        path, (source, changed) = Path(PACKAGE, change.file), change.sources()
        path.write_text(changed)
        if not _noticed(area):
            survived += 1
            lines = difflib.unified_diff(
                source.splitlines(), changed.splitlines(), change.file, lineterm="", n=0
            )
            print(*(line for line in lines if not line.startswith("---")), sep="\n", flush=True)
        path.write_text(source)
    print(f"{area}: {len(changes) - survived} of {len(changes)} noticed", flush=True)


def _noticed(area: str) -> bool:
    """Whether a test of the area fails, in a process forked from this one."""
    child = os.fork()
    if not child:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        tests = [f"{TESTS}/{name}" for name in AREAS[area]]
        os._exit(int(pytest.main([*QUICK, *tests])))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0


if __name__ == "__main__":
    main()
