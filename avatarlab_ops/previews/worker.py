"""The process in which previews are made: a line of JSON in, BEGUN and a line of JSON out, one by one.

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

from avatarlab_ops import engines
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.plan import Plan
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings

MEMORY_BYTES = 4 << 30
LIMIT_S = 60  # of one preview
AHEAD_S = 20  # of making something ahead; a question that comes meanwhile waits for its end
QUIET_S = 0.3  # a desk where others wait asks again within a few milliseconds
BEGUN = b"begun\n"  # said of a question as it is taken up: what ends from here on is its own fault
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
    """Answer questions until none came for IDLE_S, or the asking process has ended."""
    out = os.dup(1)
    os.dup2(2, 1)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _warm_up()
    while _asked_within(IDLE_S) and (line := sys.stdin.readline()):
        signal.alarm(LIMIT_S)  # ends this process; its asker says so
        os.write(out, BEGUN)
        asked = json.loads(line)
        told, plan = answer(asked)
        os.write(out, json.dumps(told).encode() + b"\n")
        signal.alarm(0)
        if plan and not _asked_within(QUIET_S):
            signal.alarm(AHEAD_S)
            prepare(_settings(asked), plan)
            signal.alarm(0)


def _asked_within(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def _warm_up() -> None:
    from avatarlab_ops.preload import preload

    preload()
    for kind, name in USUAL:
        try:
            engines.load(kind, name)
        except AvatarlabError as error:  # its files are not installed: a request that needs them says so
            log.info("%s", error)


def prepare(where: Settings, plan: Plan) -> None:
    """Make ahead what the next picture of this avatar may need."""
    from avatarlab_ops.previews import scene
    from avatarlab_ops.stages.context import workspace

    try:
        with workspace(where, "preview") as folder:
            scene.prepare(where, plan, folder)
    except AvatarlabError as error:  # a request that needs it says so
        log.info("%s", error)
    except Exception:  # it was made ahead, unasked: the process must live on for the next question
        log.exception("a preview's matte was not made ahead")


def _settings(asked: dict[str, Any]) -> Settings:
    return Settings(**asked["settings"] | {"home": Path(asked["settings"]["home"])})


def answer(asked: dict[str, Any]) -> tuple[dict[str, str], Plan | None]:
    """(the answer: {file}, or {code, text} of the refusal; the plan, if more is to be made ahead)."""
    from avatarlab_ops.previews import scene

    where = _settings(asked)
    try:
        request = AvatarRequest.parse(asked["request"])
        plan = scene.planned(where, asked["kind"], request, caller=asked["caller"])
        made = scene.make(where, asked["kind"], plan, Path(asked["folder"]))
    except AvatarlabError as error:
        return {"code": error.code, "text": str(error)}, None
    except MemoryError:
        return {
            "code": "out_of_memory",
            "text": "the preview ran out of memory; choose a smaller avatar",
        }, None
    more = asked["kind"] == "still" and scene.may_prepare(plan)
    return {"file": made.name}, plan if more else None


if __name__ == "__main__":
    main()
