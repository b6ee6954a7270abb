"""The stage graph, read top to bottom: what follows what, and everything that is said of a stage.

admit ─┬─ speech ──┐
       ├─ face ────┼─ lipsync ─┐        (listen runs in the task of speech,
       └─ matte ───────────────┴─ composite ─ publish           prepare in that of lipsync)

A new stage is its file in stages/ and its entry here; tasks, batches, predictions and measures are derived.
Imports nothing heavy: DAG files read it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from avatarlab_ops import engines
from avatarlab_ops.canonical import Json
from avatarlab_ops.engines.info import Kind
from avatarlab_ops.places import ADMIT_TASK, QUEUES, Pool, Queue
from avatarlab_ops.plan import Plan
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.states import Aspect

# The engine of each kind of which a request names none.
ONLY: dict[Kind, str] = {"face": "landmarker", "watermark": "perth", "recogniser": "whisper"}
# Raised whenever a narration may get other times or notes: no other speech is made anew.
ALIGNER_VERSION = "6"
NUMBERING_VERSION = "2"  # of sentences by speech engines: 2 counts those of which nothing is heard
READING_VERSION = "5"  # raised whenever the words of a recording may be split or read aloud otherwise
LETTERING_VERSION = "2"  # of burned captions with these signs: before, they were left out
CUTTING_VERSION = "2"  # of words into captions: 2 gives headings and items of a list lines of their own
BACKDROP_VERSION = "2"  # of what stands behind: 2 reads it as large as it is shown, 1 shrank it in two steps
KEYING_VERSION = (
    "2"  # of soft edges: 2 leaves no rim where a clip has its own alpha, or letters lie over nothing
)
CROPPING_VERSION = "2"  # of clips cut around the face: 2 looks at what is shown, 1 looked at the whole clip
_LETTERED = ("\u301c", "\u2011")  # wave dash, hyphen that holds words together
SPOKEN_S = 0.07  # of speech for a character, before any was measured
OPEN_RUNS = 256  # of single renders at once, those that wait for approval among them


class Identified(Protocol):
    """An artifact, as far as what is made from it depends on it."""

    @property
    def sha256(self) -> str:
        """Over its files."""

    @property
    def fingerprint(self) -> str:
        """Over what made it."""


class Filed(Protocol):
    """An artifact, as far as its files go."""

    @property
    def files(self) -> Json:
        """By name."""


Kept = TypeVar("Kept", bound=Filed)


@dataclass(frozen=True)
class Amount:
    """How much a stage has to do. `side_px`: shorter side of its pictures, 0 where size plays no part."""

    units: float
    side_px: int = 0


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: what it reads, all that its result depends on, where it runs and what is told of it.

    `version` is raised whenever the stage's own code may change its output; `after` names the stages whose
    artifacts it reads, `sources` the input objects (no lexicon: `script` says what it made of the words, so
    that an entry for other words changes nothing); `kind` is that of its engine, which the plan names.
    """

    name: str  # and that of its module in stages/
    version: str = "1"
    params: Callable[[Plan], Json] = lambda _: {}
    after: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    kind: Kind | None = None  # of the engine that it runs
    when: Callable[[Plan], bool] | None = None  # which renders have use for it; None: every one
    pool: Pool = "cpu"
    within: str | None = None  # the stage in whose task it runs; None: in a task of its own
    group: str  # task of a bulk run's batch that does it; its stages share one pool
    work: Callable[[Plan, float], Amount] = lambda _plan, _speech_s: Amount(0)  # for seconds of speech
    usual_s: float = 0.0  # seconds a unit at 720 px before any was measured: default engine, two CPU cores
    measures: Mapping[str, str] = field(default_factory=dict)  # figure of a published video -> its fact
    documents: Mapping[str, str] = field(default_factory=dict)  # fact -> the collection that keeps it
    judged: tuple[Aspect, ...] = ()  # what people judge its engine by

    def engine(self, plan: Plan) -> tuple[Kind, str] | None:
        """(kind, name) of the engine that it runs for this plan, None: it needs none."""
        if self.kind is None:
            return None
        return self.kind, ONLY.get(self.kind) or str(getattr(plan.engines, self.kind))

    def wanted(self, plan: Plan) -> bool:
        """Whether a render of this plan has use for the stage."""
        return self.when is None or self.when(plan)


def _speech(plan: Plan) -> Json:
    script = [line.model_dump() for line in plan.script]
    versions = {"aligner": ALIGNER_VERSION} if plan.narration else {}
    if _unwritten(plan) or plan.voice_transcript:
        versions["reading"] = READING_VERSION  # a script's own sentences tell how they are read
    if plan.chapters:
        versions["numbering"] = NUMBERING_VERSION  # they alone ask which sentence a word is of
    return {
        "script": script,
        "language": plan.language,
        "voice": plan.voice,
        "voice_transcript": plan.voice_transcript,
        "seed": plan.seed,
    } | versions


def _unwritten(plan: Plan) -> bool:
    """Whether only a recording tells what is said."""
    return plan.narration is not None and not plan.script


def _footage(plan: Plan) -> Json:
    read_as = {"read_as": list(plan.avatar.read_as)} if plan.avatar.read_as else {}
    return plan.footage.model_dump() | read_as


def _matte(plan: Plan) -> Json:
    own = plan.avatar.own_alpha
    return _footage(plan) | ({} if own is None else {"own_alpha": own})


def _lipsync(plan: Plan) -> Json:
    return _footage(plan) | {
        "output_fps": plan.picture.fps,
        "seed": plan.seed,
        "motion": plan.motion.model_dump(),
    }


def _composite(plan: Plan) -> Json:
    background = plan.background.model_dump(exclude={"uri"})
    english = plan.language.partition("-")[0] == "en"  # drawn as before labels spoke other languages
    labelled = {} if english or plan.picture.ai_label == "none" else {"ai_label_language": plan.language}
    return _footage(plan) | plan.picture.model_dump(by_alias=False) | labelled | _since(plan) | {
        "footage_fps": plan.footage.fps,
        "background": background,
        "captions": plan.captions,
    }  # fmt: skip


def _since(plan: Plan) -> Json:
    """What later versions draw otherwise, or anew: named only where a plan has it."""
    redrawn = plan.captions == "burned" and any(sign in one.text for sign in _LETTERED for one in plan.script)
    behind = plan.backdrop.read_as if plan.backdrop else ()
    every = {
        "chapters": [list(one) for one in plan.chapters],
        "lettering": LETTERING_VERSION if redrawn else "",
        "cutting": CUTTING_VERSION if plan.captions != "none" else "",
        "cropping": CROPPING_VERSION if _is_cropped(plan) else "",
        "backdrop_read_as": list(behind),
        "backdrop": BACKDROP_VERSION if plan.backdrop else "",
        "keying": KEYING_VERSION if _is_keyed(plan) else "",
    }
    return {name: told for name, told in every.items() if told}


def _is_keyed(plan: Plan) -> bool:
    """Whether a clip brings its own alpha, or something is drawn over a picture that is transparent."""
    drawn = plan.captions == "burned" or plan.picture.ai_label != "none"
    own = bool(plan.avatar.own_alpha) and plan.background.behind.cut_out
    return own or (drawn and plan.background.kind == "transparent")


def _is_cropped(plan: Plan) -> bool:
    """Whether a clip fills the picture, and what does not fit is cut off around the face."""
    if plan.avatar.kind == "image" or plan.picture.fit == "contain":
        return False
    placed = plan.picture.fit == "person" and plan.background.behind.cut_out
    fits = plan.avatar.width * plan.picture.height == plan.avatar.height * plan.picture.width
    return not placed and not fits


def _characters(plan: Plan, speech_s: float) -> Amount:
    """Characters that are spoken, more where they are spoken slower.

    Of words that only a recording tells, as many as are said in its time.
    """
    if _unwritten(plan):
        return Amount(max(1.0, speech_s / SPOKEN_S))
    return Amount(sum(len(line.said or line.text) / line.rate for line in plan.script))


def _recorded(_: Plan, speech_s: float) -> Amount:
    """Seconds of the narration."""
    return Amount(max(1.0, speech_s))


def _pictures(plan: Plan, _: float) -> Amount:
    """Pictures of the footage, each read once."""
    pictures = (plan.avatar.duration_s or 0) * plan.footage.fps
    return Amount(max(1.0, pictures), plan.footage.max_short_side_px)


def _frames(plan: Plan, speech_s: float) -> Amount:
    """Frames of the video, in the footage's size."""
    return Amount(max(1.0, speech_s * plan.picture.fps), plan.footage.max_short_side_px)


def _encoded(plan: Plan, speech_s: float) -> Amount:
    """Frames of the video, in its own size."""
    return Amount(max(1.0, speech_s * plan.picture.fps), min(plan.picture.width, plan.picture.height))


def _facts(*names: str, **renamed: str) -> dict[str, str]:
    return {name: name for name in names} | renamed


ADMIT = Stage(name=ADMIT_TASK, group="prepare")
LISTEN = Stage(
    name="listen", version="2", params=lambda plan: {"language": plan.language}, sources=("narration",),
    kind="recogniser", when=_unwritten, pool="gpu", within="speech", group="perform", work=_recorded,
    usual_s=0.2,
)  # fmt: skip
SPEECH = Stage(
    name="speech", version="5", params=_speech, after=("listen",), sources=("voice_sample", "narration"),
    kind="speech", pool="gpu", group="perform",
    work=_characters, usual_s=0.02, measures=_facts("loudness_lufs", "words", speech_s="duration_s"),
    documents={"timeline": "timelines"}, judged=("voice", "timing"),
)  # fmt: skip
FACE = Stage(
    name="face", version="2", params=_footage, sources=("avatar",), kind="face",
    group="prepare", work=_pictures, usual_s=0.05,
)  # fmt: skip
MATTE = Stage(
    name="matte", version="3", params=_matte, sources=("avatar",), kind="matting",
    when=lambda plan: plan.background.behind.cut_out, pool="gpu", group="perform",
    work=_pictures, usual_s=0.2, measures=_facts("alpha_coverage"), judged=("matte",),
)  # fmt: skip
PREPARE = Stage(
    name="prepare", version="2", params=_footage, after=("face",), sources=("avatar",), kind="lipsync",
    when=lambda plan: engines.info("lipsync", plan.engines.lipsync).prepares,
    pool="gpu", within="lipsync", group="perform", work=_pictures,
)  # fmt: skip
LIPSYNC = Stage(
    name="lipsync", version="2", params=_lipsync, after=("speech", "face", "prepare"), sources=("avatar",),
    kind="lipsync", pool="gpu", group="perform",
    work=_frames, usual_s=0.04, measures=_facts("frames", "frames_without_face", "frames_with_covered_mouth"),
    judged=("lips", "timing"),
)  # fmt: skip
COMPOSITE = Stage(
    name="composite", version="9", params=_composite, after=("speech", "face", "matte", "lipsync"),
    sources=("avatar", "backdrop"), kind="watermark", group="finish",
    work=_encoded, usual_s=0.04,
    measures=_facts("duration_s", "frames", "fps", "width", "height", "lip_gap_r", "lip_lag_ms"),
)  # fmt: skip
# Publishes the files of the stages in `after` (a later stage wins where names are equal). Its artifact is one
# render's, never shared.
PUBLISH = Stage(name="publish", version="2", after=("composite",), group="finish")

# What makes artifacts by the plan, sources first.
GRAPH = (LISTEN, SPEECH, FACE, MATTE, PREPARE, LIPSYNC, COMPOSITE)
EVERY = (ADMIT, *GRAPH, PUBLISH)
BY_NAME = {stage.name: stage for stage in EVERY}
STAGES = tuple(stage.name for stage in EVERY if stage.within is None)  # the tasks of a render
MADE = (*(stage.name for stage in GRAPH), PUBLISH.name)  # kinds of artifacts, sources first
GPU_STAGES = tuple(stage.name for stage in GRAPH if stage.pool == "gpu")  # their seconds are GPU-seconds
# Tasks of a bulk run's batch, in order, and the stages that each does.
GROUPS = {
    group: tuple(s.name for s in EVERY if s.group == group and s.within is None)
    for group in dict.fromkeys(stage.group for stage in EVERY)
}
GROUP_POOLS = {group: BY_NAME[names[0]].pool for group, names in GROUPS.items()}
DOCUMENTS = {fact: collection for stage in GRAPH for fact, collection in stage.documents.items()}


def parts(stage: Stage) -> tuple[Stage, ...]:
    """What a stage's task does: the stages within it, then the stage itself."""
    return (*(one for one in GRAPH if one.within == stage.name), stage)


def queue(stage: Stage) -> Queue:
    """The workers that can do the stage's task, whichever engine a request names.

    Its largest memory class (`EngineInfo.slots`) decides: of `lipsync` that of DiffDub.
    """
    if stage.pool == "cpu":
        return "cpu"
    kinds = {part.kind for part in parts(stage)}
    slots = [info.slots for (kind, _), info in engines.known().engines.items() if kind in kinds]
    return "gpu_large" if max(slots) > 1 else "gpu"


def group_queue(group: str) -> Queue:
    """The workers that can do every stage of a bulk run's task."""
    return max((queue(BY_NAME[name]) for name in GROUPS[group]), key=QUEUES.index)


def before(name: str) -> tuple[str, ...]:
    """The tasks that a task directly follows; what comes earlier anyway is left out."""
    direct = _read(name)
    return tuple(one for one in direct if not any(one in _ancestors(other) for other in direct))


def _read(name: str) -> tuple[str, ...]:
    """The tasks whose artifacts a task reads; `admit` for one that reads none."""
    read = [BY_NAME[source] for part in parts(BY_NAME[name]) for source in part.after]
    tasks = dict.fromkeys(source.within or source.name for source in read)
    tasks.pop(name, None)
    return tuple(tasks) or (() if name == ADMIT.name else (ADMIT.name,))


def _ancestors(name: str) -> set[str]:
    return {one for task in _read(name) for one in (task, *_ancestors(task))}


def recipe(stage: Stage, plan: Plan, artifacts: Mapping[str, Identified]) -> Recipe | None:
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
    named = stage.engine(plan)
    engine = engines.identity(*named) if named else None
    return Recipe(stage.name, stage.version, engine, stage.params(plan), inputs)


def shown(artifacts: Mapping[str, Kept]) -> dict[str, Kept]:
    """Name of each file that is published to the artifact that holds it: of two stages the later one's."""
    made = [artifacts[stage] for stage in PUBLISH.after if stage in artifacts]
    return {name: artifact for artifact in made for name in artifact.files}


def files(stage: Stage, plan: Plan) -> tuple[str, ...]:
    """Names of the model files that the stage's engine needs."""
    named = stage.engine(plan)
    return engines.info(*named).file_names if named else ()
