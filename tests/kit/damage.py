"""Small files of every accepted type, and damage by number: the same number always does the same."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import resource
import struct
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import soundfile
from kit.heif import heic
from media_samples import encode, numbered, speech
from PIL import Image

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import credentials, pictureprint
from avatarlab_ops.media.footage import Footage, open_footage, open_matte
from avatarlab_ops.media.foreign import child
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.sniff import Kind
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.trust import credentials as ours
from avatarlab_ops.trust import signing

TYPES = {  # by the labels of `sniff.TYPES`; a test holds that none is missing
    "MP4/MOV": ("clip.mp4", "clip.mov", "signed.mp4", "voice.m4a"),
    "Matroska/WebM": ("clip.mkv", "clip.webm"),
    "PNG": ("face.png", "cut.png"),
    "JPEG": ("face.jpg", "progressive.jpg"),
    "WebP": ("face.webp",),
    "HEIC": ("face.heic",),
    "AVIF": ("face.avif",),
    "WAV": ("voice.wav",),
    "FLAC": ("voice.flac",),
    "Ogg": ("voice.ogg",),
    "MP3": ("voice.mp3",),
}
NAMES = tuple(name for names in TYPES.values() for name in names)
HEAD_BYTES = 400  # where headers and indexes lie: half of all damage goes there
FIELDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
HANG_S = 10  # processor seconds that no file of these may take
MOST_BYTES = 1 << 30  # of memory that no file of these may take: half of what a decoding process may
HEARD_S = WATCHED_S = 30.0
ANY: tuple[Kind, ...] = ("image", "video", "audio")


def originals(folder: Path) -> dict[str, bytes]:
    """The undamaged files by name; the same each time, but for the key and the time that signed.mp4 holds."""
    noise = np.random.default_rng(0).integers(0, 255, (80, 100, 4), np.uint8)
    for name in NAMES:
        path = folder / name
        if name.startswith(("clip", "signed")):
            _clip(path)
        elif name.startswith("voice"):
            _recording(path)
        elif path.suffix == ".heic":
            heic(path, noise[..., :3])
        else:
            whole = Image.fromarray(noise[..., : 4 if name == "cut.png" else 3])
            whole.save(path, progressive=name == "progressive.jpg")
    return {name: (folder / name).read_bytes() for name in NAMES}


def _clip(path: Path) -> None:
    codec = "libvpx-vp9" if path.suffix == ".webm" else "libx264"
    encode(path, (numbered(i, 96, 80) for i in range(12)), codec=codec, tone=path.suffix == ".mp4")
    signer = signing.identity(path.parent) if path.name == "signed.mp4" else None
    if signer is not None:
        kind = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"
        made = {"action": "c2pa.created", "digitalSourceType": kind}
        claimed: dict[str, Any] = {"assertions": [{"label": "c2pa.actions", "data": {"actions": [made]}}]}
        files, _ = ours.sign(path, path.parent, claimed, signer)
        files[path.name].replace(path)


def _recording(path: Path) -> None:
    wav = speech(path.with_suffix(".wav"), 1.2, 16_000)
    samples, rate = soundfile.read(wav, dtype="float32")
    if path.suffix == ".m4a":
        with av.open(str(path), "w", format="ipod") as output:
            stream = output.add_stream("aac", rate=rate, layout="mono")
            block = av.AudioFrame.from_ndarray(samples[None], "fltp", "mono")
            block.sample_rate, block.pts = rate, 0
            output.mux(stream.encode(block))
            output.mux(stream.encode(None))
    elif path.suffix != ".wav":
        soundfile.write(path, samples, rate)


def damaged(content: bytes, number: int) -> bytes:
    """`content` with one to three changes: bytes, lengths, spans lost, doubled, zeroed; the end cut."""
    rng = np.random.default_rng(number)
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        reach = min(len(data), HEAD_BYTES) if rng.random() < 0.5 else len(data)
        at, span = int(rng.integers(0, max(reach, 1))), int(rng.integers(1, 64))
        match rng.integers(0, 6):
            case 0 | 1:
                data[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 2:
                value = FIELDS[rng.integers(0, len(FIELDS))]
                data[at : at + 4] = struct.pack(">I" if rng.random() < 0.5 else "<I", value)
            case 3:
                del data[at : at + span]
            case 4:
                data[at:at] = data[at : at + span]
            case _:
                data[at : at + span] = bytes(span)
    return bytes(data[: max(1, int(len(data) * rng.uniform(0.3, 1)))] if rng.random() < 0.2 else data)


def use(path: Path) -> None:
    """Open a file by every door that foreign bytes have, as admission, stages and verification do.

    Only MediaRefused is expected.
    """
    doors: list[Callable[[Path], object]] = [_heard, _watched, credentials.read]
    with contextlib.suppress(MediaRefused):
        if probe(path, allow=ANY).kind != "audio":
            doors += [_shown, _cut_out]
    for door in doors:
        with contextlib.suppress(MediaRefused):
            door(path)


def _heard(path: Path) -> None:
    assert read_sound(path, 24_000, max_s=HEARD_S, beginning=True).ndim == 1


def _watched(path: Path) -> None:
    assert pictureprint.watch(path, most_s=WATCHED_S).curves.shape[0] == 2


def _shown(path: Path) -> None:
    with open_footage(path, fps=25, max_short_side_px=64) as footage:
        _all_of(footage)


def _cut_out(path: Path) -> None:
    matte = open_matte(path, fps=25, max_short_side_px=64)
    if matte is not None:
        with matte:
            _all_of(matte)


def _all_of(footage: Footage) -> None:
    for frame in footage.iter():
        assert frame.shape == (footage.height, footage.width, 3)


@dataclass(frozen=True)
class Cost:
    """What a file took: processor seconds, bytes of memory at most; and what went wrong, "" for nothing."""

    cpu_s: float
    peak_bytes: int
    trouble: str = ""


class Judge:
    """Uses files, each in a process of its own, so that what each costs can be told."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._link, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def cost(self, path: Path, what: str) -> Cost:
        """Use a file, called `what`. AssertionError where it is not refused or survived within the bounds."""
        self._link.send(path)
        cost: Cost = self._link.recv()
        assert not cost.trouble, f"{what}: {cost.trouble}"
        assert cost.cpu_s < HANG_S, f"{what}: {cost.cpu_s:.1f} processor seconds"
        assert cost.peak_bytes < MOST_BYTES, f"{what}: {cost.peak_bytes / 2**20:.0f} MiB"
        return cost

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()
        self._process.join(10)
        self._process.close()


def _serve(link: Connection) -> None:
    """Answer with the cost of each file named, until nobody asks any more."""
    child.load()
    importlib.import_module("c2pa")
    with contextlib.suppress(EOFError):
        while True:
            link.send(_apart(link.recv()))


def _apart(path: Path) -> Cost:
    """What it costs to use a file, in a fork of this process."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        _use_and_end(path, tell)
    os.close(tell)
    with os.fdopen(told, "rb") as said:
        trouble = said.read().decode()
    _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    cpu_s, peak_bytes = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024
    return Cost(cpu_s, peak_bytes, trouble or (f"it ended with {code}" if code else ""))


def _use_and_end(path: Path, tell: int) -> None:
    """Be the fork; a file that takes too long ends it."""
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (HANG_S + 1, HANG_S + 2))
        use(path)
    except BaseException:  # noqa: BLE001  (told to the test, which fails by it)
        os.write(tell, traceback.format_exc()[-4000:].encode())
    finally:
        os._exit(0)
