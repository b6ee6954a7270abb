"""The decoding process: takes one file, confines itself, answers. Messages are JSON; pictures and sound go
through memory that the asker mapped.
"""

from __future__ import annotations

import errno
import importlib
import json
import mmap
import os
import pkgutil
import socket
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeGuard

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import credentials, pictureprint
from avatarlab_ops.media import footage as local
from avatarlab_ops.media.foreign import confine
from avatarlab_ops.media.foreign.link import MESSAGE_BYTES
from avatarlab_ops.media.handed import Handed
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.shown import pack, yuv420p_bytes
from avatarlab_ops.media.sound import read_sound

SIDECAR_BYTES = 16 << 20


def load() -> None:
    """Import what decoding needs: a confined process opens no file, and so imports nothing."""
    Image.init()
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def serve(connection: socket.socket, zygote: int) -> None:
    """Answer one question, or for footage as many as are asked, until the asker goes away."""
    asked, descriptors = _receive(connection)
    if asked is None:
        return
    if asked["do"] == "credentials":
        importlib.import_module("c2pa")  # 0.3 s that no other question needs
    with tempfile.TemporaryFile() as scratch:
        confine.confine(zygote)
        path = Handed.of(asked["name"], descriptors[0])
        if asked["do"] == "probe":
            limits, allow = Limits(**asked["limits"]), tuple(asked["allow"])
            _answer(connection, lambda: asdict(probe(path, limits, allow=allow)))
        elif asked["do"] == "sound":
            _answer(connection, lambda: _sound(path, asked, descriptors[1]))
        elif asked["do"] == "motion":
            _answer(connection, lambda: _motion(path, asked, descriptors[1]))
        elif asked["do"] == "credentials":
            _answer(connection, lambda: _credentials(path, asked, descriptors[1]))
        else:
            _footage(connection, path, asked, scratch)


def _sound(path: Path, asked: Json, memory: int) -> Json:
    samples = read_sound(path, asked["hz"], max_s=asked["max_s"], beginning=asked["beginning"])
    with mmap.mmap(memory, 0) as place:
        place[: samples.nbytes] = samples.tobytes()
    return {"samples": len(samples)}


def _motion(path: Path, asked: Json, memory: int) -> Json:
    seen = pictureprint.watch(path, most_s=asked["max_s"], cpu_s=asked["cpu_s"])
    told = seen.look.tobytes() + seen.curves.tobytes()
    with mmap.mmap(memory, 0) as place:
        place[: len(told)] = told
    return {"values": seen.curves.shape[1]}


def _credentials(path: Path, asked: Json, beside: int) -> Json:
    sidecar = os.pread(beside, SIDECAR_BYTES, 0) if asked["sidecar"] else None
    found = credentials.read(path, sidecar, anchor=asked["anchor"])
    return asdict(found) if found else {}


def _footage(connection: socket.socket, path: Path, asked: Json, scratch: BinaryIO) -> None:
    opened: list[local.Footage] = []

    def describe() -> Json:
        shape = {"fps": asked["fps"], "max_short_side_px": asked["max_short_side_px"]}
        shape["part"] = tuple(asked["part"])
        clip = (
            local.open_matte(path, **shape)
            if asked["do"] == "matte"
            else local.open_footage(
                path, **shape, scratch=scratch, step=confine.allow_time, forward=asked["forward"]
            )
        )
        if clip is None:
            return {"frames": 0}
        opened.append(clip)
        return {
            "width": clip.width, "height": clip.height, "frames": len(clip), "still": clip.still,
            "notes": list(clip.notes), "shown": asdict(clip.shown) if _is_stored(clip) else None,
        }  # fmt: skip

    if _answer(connection, describe) and opened:
        _pictures(connection, opened[0])


def _is_stored(clip: local.Footage) -> TypeGuard[local.ClipFootage]:
    """Whether its pictures go over as stored; others are RGB."""
    return isinstance(clip, local.ClipFootage) and not clip.has_alpha


def _pictures(connection: socket.socket, clip: local.Footage) -> None:
    bytes_ = yuv420p_bytes(clip.width, clip.height) if _is_stored(clip) else clip.width * clip.height * 3
    places = np.empty((0, bytes_), np.uint8)
    while True:
        asked, descriptors = _receive(connection)
        if asked is None:
            return
        if descriptors:
            places = np.frombuffer(mmap.mmap(descriptors[0], 0), np.uint8).reshape(-1, bytes_)
        index, place = int(asked["frame"]), places[int(asked["slot"])]
        _answer(connection, partial(_paint, clip, index, place))


def _paint(clip: local.Footage, index: int, place: NDArray[np.uint8]) -> Json:
    if _is_stored(clip):
        pack(clip.stored(index), place)
    else:
        place[:] = clip[index].reshape(-1)
    return {}


def _receive(connection: socket.socket) -> tuple[Json | None, list[int]]:
    data, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 2)
    return (json.loads(data) if data else None), list(descriptors)


def _answer(connection: socket.socket, work: Callable[[], Json]) -> bool:
    """Send what the work gave, or why it gave nothing; tell which."""
    said: Json
    try:
        confine.allow_time()
        said = {"ok": work()}
    except MediaRefused as error:
        said = {"refused": str(error)}
    except MemoryError:
        said = {"memory": True}
    except OSError as error:
        said = {"memory": True} if error.errno == errno.ENOMEM else _defect(error)
    except Exception as error:  # noqa: BLE001  (told to the asker, which says so)
        said = _defect(error)
    connection.send(json.dumps(said).encode())
    return "ok" in said


def _defect(error: Exception) -> Json:
    return {"defect": f"{type(error).__name__}: {error}"[:500], "trace": traceback.format_exc()[-8000:]}
