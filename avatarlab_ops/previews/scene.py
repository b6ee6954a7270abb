"""The stages of a render in one folder, for a first frame or a first sentence: no artifact, no record."""

from __future__ import annotations

import importlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.base import Patch
from avatarlab_ops.errors import EngineUnavailable, RequestInvalid
from avatarlab_ops.graph import BY_NAME, recipe
from avatarlab_ops.plan import FootageSpec, Plan
from avatarlab_ops.progress import Report, silent
from avatarlab_ops.renders.estimate import check_objects
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.admit import admit
from avatarlab_ops.stages.context import Context
from avatarlab_ops.stores.catalog.tables import Artifact

Kind = Literal["still", "draft"]
KINDS: tuple[Kind, ...] = get_args(Kind)
RESOLUTION: dict[Kind, str] = {"still": "480p", "draft": "360p"}
# Seconds of a clip that are used; a longer sentence plays them back again.
FOOTAGE_S: dict[Kind, float] = {"still": 0.1, "draft": 4.0}
STAGES: dict[Kind, tuple[str, ...]] = {
    "still": ("face", "matte"),
    "draft": ("speech", "face", "matte", "prepare", "lipsync"),
}
MARK = "DRAFT: first sentence only"
SILENCE_HZ = 16_000
RECENT = 12  # results of speech, face and matte that the process remembers, some 100 kB each
_recent: OrderedDict[str, dict[str, bytes]] = OrderedDict()  # by fingerprint


def make(settings: Settings, kind: Kind, plan: Plan, folder: Path) -> Path:
    """What is `planned`: the first frame as JPEG, or the first sentence at 360p with a mark in the picture.

    A file in `folder`. Raises the InputError with which a stage refuses it.
    """
    bench = Bench(settings, "preview", plan, folder, silent)
    for stage in STAGES[kind]:
        if BY_NAME[stage].wanted(plan):
            bench.make(stage)
    return _still(bench) if kind == "still" else _draft(bench)


def may_prepare(plan: Plan) -> bool:
    """Whether a picture's matte is still to be made, by an engine with which there are previews."""
    matte = BY_NAME["matte"]
    engine = matte.engine(plan)
    unmade = plan.avatar.kind == "image" and not matte.wanted(plan)
    return unmade and engine is not None and not engines.info(*engine).cuda


def prepare(settings: Settings, plan: Plan, folder: Path) -> None:
    """Make and remember the matte of a picture, so that another background shows it at once.

    Nothing where it `may_prepare` nothing. Raises what `make` raises.
    """
    if may_prepare(plan):
        Bench(settings, "preview", plan, folder, silent).make("matte")


def planned(settings: Settings, kind: Kind, request: AvatarRequest, *, caller: str = "") -> Plan:
    """What admission makes of the caller's request, small, and of its script the first sentence.

    Raises the InputError with which the whole video would be refused, and EngineUnavailable for an engine
    that needs a GPU to be quick.
    """
    check_objects(settings, request)
    if kind == "draft" and request.narration.uri:
        raise RequestInvalid(
            "narration: a draft speaks the first sentence only; make the video to hear yours"
        )
    output = request.output.model_copy(update={"resolution": RESOLUTION[kind]})
    plan = admit(settings, request.model_copy(update={"output": output}), caller=caller)
    _refuse_slow(kind, plan)
    return plan.model_copy(update={"script": plan.script[:1], "footage": _beginning(plan, FOOTAGE_S[kind])})


def _beginning(plan: Plan, most_s: float) -> FootageSpec:
    """So much of a clip; a picture has no length, and its face and matte serve every preview."""
    if plan.avatar.kind == "image":
        return plan.footage
    end_s = plan.footage.start_s + most_s
    return plan.footage.model_copy(update={"end_s": min(end_s, plan.footage.end_s or end_s)})


def _refuse_slow(kind: Kind, plan: Plan) -> None:
    for name in STAGES[kind]:
        stage = BY_NAME[name]
        named = stage.engine(plan)
        if named is None or not stage.wanted(plan):
            continue
        engine = engines.info(*named)
        if engine.cuda:
            raise EngineUnavailable(
                f"engines.{engine.kind}: there is no {kind} with {engine.name}, which needs a GPU and its "
                "time; make the video, or look at it with another engine"
            )


@dataclass(frozen=True)
class Bench(Context):
    """Stages that work in one folder: what one makes the next finds there."""

    report: Report = silent
    artifacts: dict[str, Artifact] = field(default_factory=dict)

    def make(self, stage: str) -> None:
        """Make a stage's files in the folder, or take those that an equal question made a moment ago."""
        made = recipe(BY_NAME[stage], self.plan, {})  # None for what depends on other stages
        files = _recent.get(made.fingerprint) if made else None
        if files is None:
            product = importlib.import_module(f"avatarlab_ops.stages.{stage}").run(self)
            files = {name: path.read_bytes() for name, path in product.files.items()}
        if made:
            _recent[made.fingerprint] = files
            _recent.move_to_end(made.fingerprint)
            while len(_recent) > RECENT:
                _recent.popitem(last=False)
        for name, content in files.items():
            self.artifact(stage, name).write_bytes(content)
        self.artifacts[stage] = Artifact(stage=stage)

    def artifact(self, stage: str, name: str) -> Path:
        """A file that a stage made before."""
        return self.workspace / f"{stage}-{name}"


def _still(bench: Bench) -> Path:
    """One frame without a word, by the very code that lays a video together; its poster is the picture."""
    from avatarlab_ops.media.audio import write_wav

    silence = bench.new("silence.wav")
    write_wav(silence, np.zeros(round(SILENCE_HZ / bench.plan.picture.fps), np.float32), SILENCE_HZ)
    untouched = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1), np.uint8)
    _laid(bench, [Patch(0, 0, 0, *untouched, motion=np.eye(2, 3, dtype=np.float32))], silence)
    return bench.new("poster.jpg")


def _draft(bench: Bench) -> Path:
    """The first sentence, marked for eyes in the picture and for machines in the sound."""
    from avatarlab_ops.media.captions import Caption
    from avatarlab_ops.media.streams import read_patches
    from avatarlab_ops.stages.composite import marked

    with read_patches(bench.artifact("lipsync", "patches.zip")) as patches:
        return _laid(bench, patches, marked(bench), Caption(0, float("inf"), (MARK,)))


def _laid(bench: Bench, patches: Any, speech: Path, *captions: Any) -> Path:
    """The video as a file in the folder, and poster.jpg beside it."""
    from avatarlab_ops.stages import composite

    video = bench.new(f"video.{bench.plan.picture.container}")
    composite.lay(bench, patches, speech, video=video, poster=bench.new("poster.jpg"), captions=captions)
    return video
