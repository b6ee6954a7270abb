"""The process in which previews are made: a line of JSON in, a line of JSON out, one after the other.

It lives as long as its asker, and ends by itself when nobody asks for a while. What engines print goes to
stderr.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import select
import signal
import sys
from pathlib import Path
from typing import Any

from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.settings import Settings

MEMORY_BYTES = 4 << 30
LIMIT_S = 60  # of one preview
IDLE_S = 600
# What most previews use; loaded before the first is asked for.
USUAL = (
    ("speech", "hibari"),
    ("face", "landmarker"),
    ("matting", "rvm_onnx"),
    ("lipsync", "viseme_warp"),
    ("watermark", "perth"),
)
log = logging.getLogger(__name__)


def main() -> None:
    """Answer until there is nobody left to ask."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _warm_up()
    while _asked_within(IDLE_S) and (line := sys.stdin.readline()):
        signal.alarm(LIMIT_S)  # ends this process; its asker says so
        asked = json.loads(line)
        told = answer(asked)
        out.write(json.dumps(told) + "\n")
        if "file" in told and asked["kind"] == "still" and not _asked_within(0):
            prepare(asked)
        signal.alarm(0)


def _asked_within(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _warm_up() -> None:
    from avatarlab_ops import engines
    from avatarlab_ops.preload import preload

    preload()
    for kind, name in USUAL:
        try:
            engines.load(kind, name)
        except AvatarlabError as error:  # its files are not installed; whoever asks for it is told
            log.info("%s", error)


def prepare(asked: dict[str, Any]) -> None:
    """Make what the next picture of this avatar may need, while nobody waits."""
    from avatarlab_ops.previews import scene
    from avatarlab_ops.request import AvatarRequest
    from avatarlab_ops.stages.context import workspace

    where = _settings(asked)
    try:
        with workspace(where, "preview") as folder:
            scene.prepare(where, AvatarRequest.parse(asked["request"]), folder)
    except (AvatarlabError, MemoryError) as error:  # whoever asks for it is told
        log.info("%s", error)


def _settings(asked: dict[str, Any]) -> Settings:
    return Settings(**asked["settings"] | {"home": Path(asked["settings"]["home"])})


def answer(asked: dict[str, Any]) -> dict[str, str]:
    """{file} for what was asked, or {code, text} of why there is none."""
    from avatarlab_ops.previews import scene
    from avatarlab_ops.request import AvatarRequest

    where = _settings(asked)
    try:
        request = AvatarRequest.parse(asked["request"])
        return {"file": scene.make(where, asked["kind"], request, Path(asked["folder"])).name}
    except AvatarlabError as error:
        return {"code": error.code, "text": str(error)}
    except MemoryError:
        return {"code": "out_of_memory", "text": "the preview ran out of memory; choose a smaller avatar"}


if __name__ == "__main__":
    main()
