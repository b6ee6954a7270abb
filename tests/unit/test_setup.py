"""Set-up: what is taken from the lock, and when an environment counts as complete."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tools import setup

WANTED = setup.Wanted(lock="abc", python="3.11.7", root="/here", gpu=False)


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A complete environment with one package of two files."""
    place = tmp_path / ".venv"
    site = place / "lib/python3.11/site-packages"
    info = site / "thing-1.dist-info"
    info.mkdir(parents=True)
    (site / "thing").mkdir()
    (site / "thing/__init__.py").write_text("")
    (place / "bin").mkdir()
    (place / "bin/python").symlink_to(sys.executable)
    (place / "bin/thing").write_text("")
    (info / "RECORD").write_text(
        'thing/__init__.py,sha256=x,0\n../../../bin/thing,,\nthing/__pycache__/a.pyc,,\n"thing-1.dist-info/RECORD",,\n'
    )
    record = asdict(WANTED) | {"packages": ["thing-1.dist-info"]}
    setup.stamp_of(place).write_text(json.dumps(record))
    return place


def test_a_complete_environment_is_left_alone(environment: Path) -> None:
    assert setup.is_complete(environment, WANTED)


@pytest.mark.parametrize(
    "gone",
    [
        "lib/python3.11/site-packages/thing/__init__.py",
        "lib/python3.11/site-packages/thing-1.dist-info/RECORD",
        "bin/thing",
        "bin/python",
        "avatarlab-setup.json",
    ],
)
def test_any_missing_file_is_noticed(environment: Path, gone: str) -> None:
    (environment / gone).unlink()
    assert not setup.is_complete(environment, WANTED)


def test_a_package_that_vanished_whole_is_noticed(environment: Path) -> None:
    info = environment / "lib/python3.11/site-packages/thing-1.dist-info"
    (info / "RECORD").unlink()
    info.rmdir()
    assert not setup.is_complete(environment, WANTED)


def test_a_package_that_somebody_added_is_left_where_it_is(environment: Path) -> None:
    info = environment / "lib/python3.11/site-packages/an_engine-1.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("an_engine-1.dist-info/RECORD,,\n")
    assert setup.is_complete(environment, WANTED)


@pytest.mark.parametrize("there", [True, False])
def test_voices_that_were_there_come_back_with_an_environment_made_anew(
    environment: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        (environment / "lib/python3.11/site-packages/avatarlab_kokoro-0.1.0.dist-info").mkdir()
    steps = list[str]()
    monkeypatch.setattr(setup, "ROOT", environment.parent)
    for name in ("check_machine", "cpu_torch_source", "lock_digest", "tell_size", "say"):
        monkeypatch.setattr(setup, name, lambda *_, **__: "")
    monkeypatch.setattr(setup, "build", lambda *_: steps.append("build"))
    monkeypatch.setattr(setup, "add_voices", lambda: steps.append("voices"))
    setup.set_up()
    assert steps == ["build", "voices"][: 1 + there]


@pytest.mark.parametrize("change", [{"lock": "new"}, {"python": "3.12.1"}, {"root": "/moved"}, {"gpu": True}])
def test_a_changed_lock_python_place_or_gpu_asks_for_a_new_one(
    environment: Path, change: dict[str, object]
) -> None:
    assert not setup.is_complete(environment, replace(WANTED, **change))  # type: ignore[arg-type]


def test_a_cut_off_stamp_is_not_believed(environment: Path) -> None:
    stamp = setup.stamp_of(environment)
    stamp.write_text(stamp.read_text()[:20])
    assert not setup.is_complete(environment, WANTED)


def test_uv_comes_from_the_lock_with_its_digests() -> None:
    line = setup.uv_requirement(setup.read_toml(setup.ROOT / "uv.lock"))
    assert line.startswith("uv==")
    digests = line.split("--hash=sha256:")[1:]
    assert digests
    assert all(len(digest.strip()) == 64 for digest in digests)


def test_a_cpu_set_up_leaves_out_torch_and_cuda_but_keeps_what_torch_imports() -> None:
    left_out = setup.gpu_only(setup.read_toml(setup.ROOT / "uv.lock"))
    assert "torch" in left_out
    assert "triton" in left_out
    assert any(name.startswith("nvidia-cudnn") for name in left_out)
    assert not {"sympy", "networkx", "filelock", "jinja2", "torchaudio"} & set(left_out)


def test_the_pinned_cpu_build_is_the_locked_version_of_torch() -> None:
    pinned = setup.read_toml(setup.ROOT / "pyproject.toml")["tool"]["avatarlab"]["torch-cpu"]
    assert pinned["version"] == setup.locked(setup.read_toml(setup.ROOT / "uv.lock"), "torch")["version"]


def test_every_locked_package_has_a_digest() -> None:
    for package in setup.read_toml(setup.ROOT / "uv.lock")["package"]:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
        assert files or "editable" in package["source"], package["name"]


def test_a_missing_package_in_the_lock_is_named() -> None:
    with pytest.raises(setup.SetupError, match=r"uv\.lock does not name uv"):
        setup.locked({"package": []}, "uv")


def test_a_failed_command_shows_its_output() -> None:
    with pytest.raises(setup.SetupError, match=r"exit code 3\s+no route to index"):
        setup.run(
            [sys.executable, "-c", "import sys; print('no route to index'); sys.exit(3)"], "it", quiet=True
        )


def test_a_long_command_gives_signs_of_life(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "HEARTBEAT_S", 0.05)
    setup.run([sys.executable, "-c", "import time; time.sleep(0.3)"], "the long step", quiet=True)
    assert "... the long step: 0 s" in capsys.readouterr().out


def test_the_disk_is_held_against_the_build_that_will_be_taken_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "has_gpu", lambda: False)
    monkeypatch.setattr(setup, "is_complete", lambda *_: False)
    monkeypatch.setattr(setup, "cpu_torch_source", lambda: None)  # nobody offers the CPU build
    monkeypatch.setattr(setup, "build", lambda *_: pytest.fail("built without room for it"))
    monkeypatch.setattr(setup, "NEEDED_BYTES", {False: 0, True: 10**18})
    with pytest.raises(setup.SetupError, match=r"GB free, set-up needs 1000000000 GB"):
        setup.set_up()
    assert "torch with CUDA, which runs on CPUs too: up to 3.9 GB to download" in capsys.readouterr().out


def test_download_and_disk_are_told_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup, "NEEDED_BYTES", {False: 6_000, True: 14_000})
    setup.tell_size(cuda=False)
    assert "torch for CPUs: up to 1.4 GB to download, 0 GB of disk" in capsys.readouterr().out


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    with pytest.raises(setup.SetupError, match=r"Linux x86_64; this is Linux aarch64"):
        setup.check_machine()


def test_setup_imports_nothing_but_the_standard_library() -> None:
    code = "import sys, tools.setup; print(*{m.split('.')[0] for m in sys.modules})"
    out = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=setup.ROOT, capture_output=True, text=True, check=True
    )
    assert set(out.stdout.split()) <= sys.stdlib_module_names | {"tools", "__main__"}


NOBODY = "http://127.0.0.1:9/simple"  # the port `discard`: nothing listens


@pytest.fixture(scope="module")
def pip() -> Iterator[Path]:
    """One scratch Python for all who look, as making it takes longest."""
    with setup.scratch_python() as python:
        yield python


@pytest.fixture
def no_sources(monkeypatch: pytest.MonkeyPatch, pip: Path) -> None:
    """pip looks nowhere."""
    monkeypatch.setattr(setup, "scratch_python", lambda: nullcontext(pip))
    for name in os.environ:
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    looked_at = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": NOBODY, "PIP_RETRIES": "0"}
    for name, value in (looked_at | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "version_info", (3, 11, 7, "final", 0))  # the one with a pinned CPU build


@pytest.mark.usefixtures("no_sources")
def test_an_index_out_of_reach_is_told_and_the_locked_build_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AVATARLAB_TORCH_INDEX", NOBODY)
    assert setup.cpu_torch_source() is None
    assert f"{NOBODY} offers no file, or cannot be reached" in capsys.readouterr().out


def a_wheel(folder: Path, version: str) -> Path:
    """A wheel of torch that holds nothing, as an index offers it."""
    path = folder / f"torch-{version}-py3-none-any.whl"
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index that offers `a_wheel`, the CPU build."""
    (tmp_path / "torch").mkdir()
    name = a_wheel(tmp_path / "torch", setup.pinned_torch()["version"] + "+cpu").name
    (tmp_path / "torch/index.html").write_text(f'<!DOCTYPE html><a href="{name}">{name}</a>')
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.usefixtures("no_sources")
def test_the_cpu_build_is_taken_from_the_index_and_by_its_digest_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, index: str, pip: Path
) -> None:
    monkeypatch.setenv("AVATARLAB_TORCH_INDEX", index)
    assert setup.cpu_torch_source() is None
    assert f"{index} offers only another file (sha256" in capsys.readouterr().out

    wheel = next((tmp_path / "torch").glob("*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = setup.pinned_torch() | {"sha256": [digest]}
    monkeypatch.setattr(setup, "pinned_torch", lambda: pinned)
    source = setup.cpu_torch_source()
    assert source is not None
    setup.install_cpu_torch(pip, source)
    assert list(pip.parents[1].glob("lib/python3.*/site-packages/torch-*+cpu.dist-info"))


def test_a_python_without_a_pinned_cpu_build_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 0, "final", 0))
    assert setup.cpu_torch_source() is None
    told = capsys.readouterr().out
    assert "is not pinned for Python" in told
    assert "PYTHON=/path/to/python3.11" in told


def test_the_download_that_is_told_is_what_the_lock_says() -> None:
    lock = setup.read_toml(setup.ROOT / "uv.lock")
    voices = {item["name"] for item in setup.locked(lock, "avatarlab")["dev-dependencies"]["voices"]}
    sizes = {
        package["name"]: max(wheel["size"] for wheel in package["wheels"] if "aarch64" not in wheel["url"])
        for package in lock["package"]
        if package.get("wheels") and package["name"] not in voices
    }
    cpu_torch = 200_000_000  # in no lock: as the index lists it
    cuda = sum(sizes.values())
    cpu = cuda - sum(sizes[name] for name in setup.gpu_only(lock)) + cpu_torch
    assert {False: cpu, True: cuda} == pytest.approx(setup.DOWNLOAD_BYTES, rel=0.1)
