"""Foreign media is decoded elsewhere: same answers, and whatever becomes of the child is a refusal here."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_samples import encode, numbered, png, speech
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import footage, foreign, pictureprint
from avatarlab_ops.media import probe as local
from avatarlab_ops.media.foreign import confine, link
from avatarlab_ops.media.sound import read_sound


def samples(folder: Path) -> list[Path]:
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    made = [png(folder / "face.png", noise), speech(folder / "voice.wav", 2.0)]
    for suffix in ("jpg", "webp", "avif"):
        Image.fromarray(noise).save(folder / f"face.{suffix}")
        made.append(folder / f"face.{suffix}")
    for name, codec in (("clip.mp4", "libx264"), ("clip.webm", "libvpx-vp9"), ("clip.mkv", "libx264")):
        made.append(encode(folder / name, (numbered(i) for i in range(30)), codec=codec))
    return made


def test_every_type_is_told_and_shown_as_in_this_process(tmp_path: Path) -> None:
    for path in samples(tmp_path):
        info = foreign.probe(path, allow=("image", "video", "audio"))
        assert info == local.probe(path, allow=("image", "video", "audio"))
        if info.kind == "audio":
            heard = foreign.read_sound(path, 24_000, max_s=30)
            np.testing.assert_array_equal(heard, read_sound(path, 24_000, max_s=30))
            begun = foreign.read_sound(path, 24_000, max_s=0.5, beginning=True)
            np.testing.assert_array_equal(begun, heard[:12_000])
            continue
        with (
            footage.open_footage(path, fps=25, max_short_side_px=64) as here,
            foreign.open_footage(path, fps=25, max_short_side_px=64) as there,
        ):
            assert (len(there), there.width, there.height) == (len(here), here.width, here.height)
            order = [*range(len(here)), *reversed(range(len(here))), 0]
            assert all((there[i] == here[i]).all() for i in order)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_clip_is_shown_as_in_this_process(tmp_path: Path, degrees: int) -> None:
    wide = (numbered(i, 322, 181) for i in range(5))  # odd: its planes are padded
    path = encode(tmp_path / "phone.mp4", wide, rotate=degrees)
    with (
        footage.open_footage(path, fps=25, max_short_side_px=1080) as here,
        foreign.open_footage(path, fps=25, max_short_side_px=1080) as there,
    ):
        assert (there.width, there.height) == ((180, 322) if degrees != 180 else (322, 180))
        assert all((there[i] == here[i]).all() for i in (0, 4, 2))


def test_movement_is_seen_through_the_child_and_what_shows_none_is_refused(tmp_path: Path) -> None:
    for path in samples(tmp_path):
        if path.name.startswith("clip"):
            here, there = pictureprint.watch(path), foreign.watch(path, most_s=30)
            np.testing.assert_array_equal(here.curves, there.curves)
            np.testing.assert_array_equal(here.look, there.look)
            assert foreign.watch(path, most_s=0.5).curves.shape[1] < here.curves.shape[1]
        else:
            with pytest.raises(MediaRefused):
                foreign.watch(path, most_s=30)


def test_a_matte_comes_through_the_child(tmp_path: Path) -> None:
    cut = np.zeros((80, 100, 4), np.uint8)
    cut[20:60, 30:70] = 255
    shape = {"fps": 25.0, "max_short_side_px": 80}
    matte = foreign.open_matte(png(tmp_path / "cut.png", cut), **shape)  # type: ignore[arg-type]
    assert matte is not None
    with matte:
        assert set(np.unique(matte[0])) == {0, 255}
    whole = png(tmp_path / "whole.png", cut[..., :3])
    assert foreign.open_matte(whole, **shape) is None  # type: ignore[arg-type]


def test_pictures_may_be_kept(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", (numbered(i) for i in range(40)))
    with foreign.open_footage(path, fps=25, max_short_side_px=180) as clip:
        kept = list(clip)
        again = [clip[i] for i in range(40)]
    assert all((a == b).all() for a, b in zip(kept, again, strict=True))


def test_refusals_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_text("not a video at all\n" * 100)
    with pytest.raises(MediaRefused, match="is text"):
        foreign.probe(path)


def test_a_picture_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    """Small enough for Pillow, which refuses more than 178 megapixels in whatever process."""
    path = tmp_path / "huge.png"
    Image.new("P", (13_000, 13_000)).save(path, transparency=0, compress_level=1)
    limits = local.Limits(max_image_pixels=13_000 * 13_000)
    with pytest.raises(MediaRefused, match="needs more than 2 GB of memory to decode"):
        foreign.probe(path, limits)


def test_a_picture_of_as_many_pixels_as_are_let_in_has_memory_enough(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("RGBA", (10_000, 5_000)).save(path, compress_level=1)
    assert foreign.probe(path).width == 10_000


def in_child(work: Callable[[], Any]) -> int:
    """Exit code of a confined process that calls `work`: 0 true, 1 false, 7 not permitted."""
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 9
        try:
            confine.confine(parent)
            code = 0 if work() else 1
        except PermissionError:
            code = 7
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(confine.seccomp() is None, reason="libseccomp is not installed")
def test_a_child_opens_no_file_and_runs_nothing() -> None:
    assert in_child(lambda: os.open("/etc/passwd", os.O_RDONLY)) == 7
    assert in_child(lambda: os.execv("/bin/true", ["true"])) == 7  # noqa: S606
    assert in_child(lambda: os.kill(os.getppid(), 0)) == 7
    assert in_child(os.fork) == 7


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take another user")
def test_a_child_of_root_is_nobody() -> None:
    assert in_child(lambda: os.getuid() >= 60_000 and os.getgid() >= 60_000 and not os.getgroups()) == 0


@pytest.fixture
def zygote(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The id of a process that children are forked from, started by one that has a secret."""
    monkeypatch.setenv("AVATARLAB_PG_DSN", "postgresql://someone:secret@somewhere/x")
    monkeypatch.setattr(link, "_zygotes", [])
    link.warm()
    [started] = link._zygotes
    yield started.process.pid
    started.control.close()
    started.process.wait(60)


def test_a_child_at_work_is_confined_and_has_no_secret(tmp_path: Path, zygote: int) -> None:
    path = encode(tmp_path / "clip.mp4", (numbered(i) for i in range(5)))
    with foreign.open_footage(path, fps=25, max_short_side_px=180) as clip:
        clip[0]
        child = Path("/proc") / Path(f"/proc/{zygote}/task/{zygote}/children").read_text().strip()
        status = dict(line.split(":", 1) for line in (child / "status").read_text().splitlines())
        limits = (child / "limits").read_text()
        environment = (child / "environ").read_bytes()
        opened = [os.readlink(one) for one in (child / "fd").iterdir()]
    most = {name: re.search(rf"{name} +(\w+)", limits)[1] for name in ("address space", "cpu time")}  # type: ignore[index]
    assert confine.MEMORY_BYTES < int(most["address space"]) < 2 * confine.MEMORY_BYTES
    assert confine.CPU_S <= int(most["cpu time"]) < 2 * confine.CPU_S
    assert int(status["NoNewPrivs"]) == 1
    if confine.seccomp() is not None:
        assert int(status["Seccomp"]) == 2
    if os.geteuid() == 0:
        assert all(int(uid) >= 60_000 for uid in status["Uid"].split())
    assert b"AVATARLAB_" not in environment
    assert b"secret" not in environment
    scratch = f"{tempfile.gettempdir()}/"
    known = (str(path), "/dev/null", "socket:", "/memfd:avatarlab-frames", scratch)
    assert [one for one in opened if not one.startswith(known)] == []


@pytest.mark.parametrize(
    ("code", "said"), [(-signal.SIGSEGV, "crash (SIGSEGV)"), (-signal.SIGXCPU, "120 s of processor time")]
)
def test_what_kills_a_child_is_told(tmp_path: Path, code: int, said: str) -> None:
    with link.Link(speech(tmp_path / "voice.wav", 0.1)) as at_work:
        error = at_work._meaning({"died": int(code)})
    assert isinstance(error, MediaRefused)
    assert said in str(error)


@pytest.mark.parametrize(("crashes", "refused"), [(1, False), (2, True)])
def test_a_crash_is_tried_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crashes: int, refused: bool
) -> None:
    path = encode(tmp_path / "clip.mp4", (numbered(i) for i in range(5)))
    answer, seen = link.Link._said, []

    def crashing(at_work: link.Link, wait_s: float) -> dict[str, Any]:
        seen.append(answer(at_work, wait_s))
        return {"died": -int(signal.SIGSEGV)} if len(seen) <= crashes else seen[-1]

    monkeypatch.setattr(link.Link, "_said", crashing)
    if refused:
        with pytest.raises(MediaRefused, match="crash"):
            foreign.probe(path)
    else:
        assert foreign.probe(path).frames == 5
    assert len(seen) == 2


def test_a_child_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", (numbered(i) for i in range(5)))
    with link.Link(path) as at_work, pytest.raises(MediaRefused, match=r"took more than 0.2 s"):
        at_work.receive(0.2)  # nothing was asked, so nothing comes


@pytest.mark.parametrize(
    "lie",
    [{"width": 60_000, "height": 60_000}, {"width": 8192, "height": 8192}, {"frames": 10**9}, {"width": 63}],
)
def test_a_child_that_lies_about_its_footage_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: dict[str, int]
) -> None:
    path = encode(tmp_path / "clip.mp4", (numbered(i) for i in range(2)))
    said = link.Link.begin
    monkeypatch.setattr(link.Link, "begin", lambda *asked, **more: said(*asked, **more) | lie)
    with pytest.raises(MediaRefused, match="impossible sizes or rates"):
        foreign.open_footage(path, fps=25, max_short_side_px=180)
