"""Packages that add engines: taken by their entry points; one that is broken or clashes is told, no more."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from avatarlab_ops import engines
from avatarlab_ops.engines import registry

Install = Callable[[str, str], None]
ENTRY = """
from avatarlab_ops.engines.info import EngineInfo, MattingInfo, SpeechInfo, Voice
from avatarlab_ops.engines.published import PUBLISHED
ENGINES = {entries}
"""
CHEESE = 'MattingInfo(name="cheese", factory="avatarlab_ops.engines.matting.selfie:Selfie", version="1")'

DUMB = 'SpeechInfo(name="x", factory="a:b", version="1", languages=(), voices=(), scripts=())'


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with one entry point on the path, as pip would."""

    def put(name: str, code: str) -> None:
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-3.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 3\n")
        (info / "entry_points.txt").write_text(f"[avatarlab.engines]\nany = {name}:ENGINES\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        registry.known.cache_clear()

    monkeypatch.syspath_prepend(tmp_path)
    yield put
    registry.known.cache_clear()


def told() -> list[str]:
    return [f"{problem.package}: {problem.reason}" for problem in engines.known().problems]


def test_an_installed_package_adds_an_engine(install: Install) -> None:
    own = engines.names("matting")
    install("cheese_one", ENTRY.format(entries=CHEESE))
    assert engines.names("matting") == (*own, "cheese")
    assert engines.known().packages["matting", "cheese"] == "cheese_one 3"
    assert hasattr(engines.load("matting", "cheese"), "mattes")
    assert told() == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('no licence key')", "cannot be loaded (RuntimeError: no licence key)"),
        ("", "cannot be loaded (AttributeError"),
        (ENTRY.format(entries="3"), "3 is not an entry"),
        (ENTRY.format(entries='EngineInfo(name="x", factory="a:b", version="1")'), "not an entry: Speech"),
        (ENTRY.format(entries=CHEESE.replace("cheese", "../x")), "'../x': a name has up to 64 letters"),
        (ENTRY.format(entries=CHEESE.replace("cheese", "selfie")), "'selfie' is there already, from avatar"),
        (
            ENTRY.format(entries=DUMB),
            "'x' names no language",
        ),
        (
            ENTRY.format(entries=CHEESE.replace(")", ', files=(PUBLISHED["lina.safetensors"],))')),
            "lina.safetensors must be a PinnedFile",
        ),
    ],
)  # fmt: skip
def test_a_package_that_cannot_be_taken_is_told_and_disturbs_nobody(
    install: Install, code: str, reason: str
) -> None:
    before = dict(engines.known().engines)
    install("bad_one", code)
    assert dict(engines.known().engines) == before
    (problem,) = told()
    assert problem.startswith("bad_one 3: ")
    assert reason in problem


def test_of_two_packages_with_one_name_the_first_by_name_is_taken(install: Install) -> None:
    install("b_cheese", ENTRY.format(entries=CHEESE))
    install("a_cheese", ENTRY.format(entries=CHEESE))
    assert engines.known().packages["matting", "cheese"] == "a_cheese 3"
    assert told() == [
        "b_cheese 3: the matting engine 'cheese' is there already, from a_cheese 3; remove one package"
    ]
