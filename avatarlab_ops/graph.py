"""The stage graph, read top to bottom: what follows what, and all that each artifact depends on.

admit ─┬─ speech ──┐
       ├─ face ────┼─ lipsync ─┐
       └─ matte ───────────────┴─ composite ─ publish
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatarlab_ops import engines
from avatarlab_ops.plan import Plan
from avatarlab_ops.recipe import Recipe

if TYPE_CHECKING:
    from avatarlab_ops.stores.catalog.tables import Artifact

Json = dict[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage that makes an artifact: what it reads, and all that its result depends on.

    `version` is raised whenever the stage's own code may change its output; `after` names the stages whose
    artifacts it reads, `sources` the input objects; `engine` gives (kind, name) from the plan.
    """

    name: str
    version: str
    params: Callable[[Plan], Json]
    after: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    engine: Callable[[Plan], tuple[str, str]] | None = None
    wanted: Callable[[Plan], bool] = lambda _: True


def _speech(plan: Plan) -> Json:
    script = [line.model_dump() for line in plan.script]
    return {
        "script": script,
        "language": plan.language,
        "voice": plan.voice,
        "voice_transcript": plan.voice_transcript,
        "seed": plan.seed,
    }


def _footage(plan: Plan) -> Json:
    return plan.footage.model_dump()


def _lipsync(plan: Plan) -> Json:
    return _footage(plan) | {
        "output_fps": plan.picture.fps,
        "seed": plan.seed,
        "motion": plan.motion.model_dump(),
    }


def _composite(plan: Plan) -> Json:
    background = plan.background.model_dump(exclude={"uri"})
    return _footage(plan) | plan.picture.model_dump(by_alias=False) | {
        "footage_fps": plan.footage.fps,
        "background": background,
        "captions": plan.captions,
    }  # fmt: skip


GRAPH = (
    Stage(
        "speech", "3", _speech, sources=("voice_sample",),
        engine=lambda plan: ("speech", plan.engines.speech),
    ),
    Stage("face", "2", _footage, sources=("avatar",), engine=lambda _: ("face", "landmarker")),
    Stage(
        "matte", "3", _footage, sources=("avatar",), engine=lambda plan: ("matting", plan.engines.matting),
        wanted=lambda plan: plan.background.kind != "original",
    ),
    Stage(
        "lipsync", "2", _lipsync, after=("speech", "face"), sources=("avatar",),
        engine=lambda plan: ("lipsync", plan.engines.lipsync),
    ),
    Stage(
        "composite", "4", _composite, after=("speech", "face", "matte", "lipsync"),
        sources=("avatar", "backdrop"),
    ),
)  # fmt: skip
STAGES = ("admit", *(stage.name for stage in GRAPH), "publish")
MADE = ("speech", "face", "matte", "prepare", "lipsync", "composite")  # kinds of artifacts, sources first
BY_NAME = {stage.name: stage for stage in GRAPH}
GPU_STAGES = ("speech", "matte", "lipsync")  # what runs in the pool `gpu`: their seconds are GPU-seconds


def recipe(stage: Stage, plan: Plan, artifacts: Mapping[str, Artifact]) -> Recipe | None:
    """What the stage would make, None while an artifact that it reads does not exist."""
    inputs: dict[str, Json] = {}
    for role in stage.sources:
        source = getattr(plan, role)
        if source is not None:
            inputs[role] = {"sha256": source.sha256}
    for name in stage.after:
        if not BY_NAME[name].wanted(plan):
            continue
        if name not in artifacts:
            return None
        inputs[name] = {"sha256": artifacts[name].sha256, "fingerprint": artifacts[name].fingerprint}
    engine = engines.identity(*stage.engine(plan)) if stage.engine else None
    return Recipe(stage.name, stage.version, engine, stage.params(plan), inputs)


def files(stage: Stage, plan: Plan) -> tuple[str, ...]:
    """Names of the model files that the stage's engine needs."""
    return engines.info(*stage.engine(plan)).file_names if stage.engine else ()
