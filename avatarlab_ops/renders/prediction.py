"""What a render will cost, from what such work has cost before.

Seconds of a stage are a straight line over its work (`Stage.work`); measured for each engine and picture
size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avatarlab_ops.graph import GPU_STAGES, GRAPH, SPEECH, SPOKEN_S, Stage
from avatarlab_ops.plan import Plan
from avatarlab_ops.stages import deadline

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Artifact, Rate

SPOKEN = "spoken"  # kept like a stage: seconds of speech over characters
BOUNDARY_S = 1.0  # what starting one more task costs
UNKNOWN_BUDGET_S = 24 * 3600.0  # for an engine that was never measured
DEFAULT_SIDE_PX = 720


@dataclass(frozen=True)
class Work:
    """How much one stage has to do. `side_px`: shorter side of its pictures, 0 where size plays no part."""

    stage: str
    engine: str
    side_px: int
    units: float
    usual_s: float  # seconds a unit, at 720 px, before anything was measured


def work(stage: Stage, plan: Plan, speech_s: float) -> Work:
    """The work of a stage for a video of `speech_s` seconds."""
    named = stage.engine(plan)
    engine = named[1] if named else ""
    amount = stage.work(plan, speech_s)
    return Work(stage.name, engine, amount.side_px, amount.units, stage.usual_s)


def learn(
    db: Session, stage: Stage, plan: Plan, *, artifacts: Mapping[str, Artifact], made: Artifact, took_s: float
) -> None:
    """Keep what a stage has just cost. `artifacts`: of the stages before; `made`: its own."""
    from avatarlab_ops.stores.catalog import rates

    speech = made if stage == SPEECH else artifacts.get(SPEECH.name)
    speech_s = _speech_s([], plan, speech)  # as `predict` takes it: a narration's before there is speech
    did = work(stage, plan, speech_s)
    if stage == SPEECH and plan.narration:
        return  # it took the aligner's seconds and has the reader's length: neither is the engine's
    rates.observe(db, stage.name, did.engine, did.side_px, work=did.units, seconds=took_s)
    if stage == SPEECH:
        rates.observe(db, SPOKEN, did.engine, 0, work=did.units, seconds=speech_s)


def predict(
    rates: Iterable[Rate], plan: Plan, found: Mapping[str, Artifact], free: Iterable[str] = ()
) -> dict[str, float]:
    """Seconds of work for each stage that has work to do.

    `found` are artifacts that exist, `free` names stages that others will have paid for by then.
    """
    known = list(rates)
    speech = found.get(SPEECH.name)
    speech_s = _speech_s(known, plan, speech)
    todo = [s for s in GRAPH if s.wanted(plan) and s.name not in found and s.name not in set(free)]
    return {stage.name: round(seconds(known, work(stage, plan, speech_s)), 3) for stage in todo}


def _speech_s(rates: Iterable[Rate], plan: Plan, made: Artifact | None) -> float:
    """How long the speech is, or will be: a narration as it is, a script as if saying it were work."""
    if made:
        return float(made.facts["duration_s"])
    if plan.narration and plan.narration.duration_s:
        return plan.narration.duration_s
    speech = work(SPEECH, plan, 0.0)
    return seconds(rates, Work(SPOKEN, speech.engine, 0, speech.units, SPOKEN_S))


def gpu_s(predicted: Mapping[str, float]) -> float:
    """The part of a prediction that runs in the pool `gpu`."""
    return sum(value for stage, value in predicted.items() if stage in GPU_STAGES)


def seconds(rates: Iterable[Rate], job: Work) -> float:
    """Seconds that a piece of work will take: by the nearest measured size, else as usual."""
    same = [rate for rate in rates if (rate.stage, rate.engine) == (job.stage, job.engine)]
    if not same:
        return job.usual_s * job.units * _scale(job.side_px, DEFAULT_SIDE_PX)
    nearest = min(same, key=lambda rate: abs(rate.side_px - job.side_px))
    fixed, each = fit(nearest)
    return (fixed + each * job.units) * _scale(job.side_px, nearest.side_px)


def budget_s(rates: Iterable[Rate], stage: Stage, plan: Plan, artifacts: Mapping[str, Artifact]) -> float:
    """Seconds after which a stage is given up, once its work was measured."""
    known = list(rates)
    job = work(stage, plan, _speech_s(known, plan, artifacts.get(SPEECH.name)))
    if not any((rate.stage, rate.engine) == (job.stage, job.engine) for rate in known):
        return UNKNOWN_BUDGET_S
    return deadline.budget_s(seconds(known, job))


def _scale(side_px: int, known_px: int) -> float:
    """Work grows with the number of pixels."""
    return (side_px / known_px) ** 2 if side_px and known_px else 1.0


def fit(rate: Rate) -> tuple[float, float]:
    """(seconds for starting, seconds a unit): least squares, or the mean where that makes no sense."""
    return _least_squares(rate.n, rate.x, rate.y, rate.xx, rate.xy)


def line(work: Iterable[float], seconds: Iterable[float]) -> tuple[float, float]:
    """(seconds for starting, seconds a unit) through single measurements, as `fit` does."""
    points = list(zip(work, seconds, strict=True))
    return _least_squares(
        len(points), sum(x for x, _ in points), sum(y for _, y in points),
        sum(x * x for x, _ in points), sum(x * y for x, y in points),
    )  # fmt: skip


def _least_squares(n: float, x: float, y: float, xx: float, xy: float) -> tuple[float, float]:
    spread = n * xx - x**2
    if n >= 3 and spread > 1e-6 * n * xx:
        each = (n * xy - x * y) / spread
        fixed = (y - each * x) / n
        if each > 0 and fixed >= 0:
            return fixed, each
    return 0.0, y / x if x else 0.0


def remaining_s(predicted: Mapping[str, float], ended: Iterable[str], left: Mapping[str, float]) -> float:
    """Seconds until the last stage ends when nothing else is in the way.

    `ended` names finished stages; `left` the seconds that running stages themselves expect.
    """
    over, ends = set(ended), dict[str, float]()
    for stage in GRAPH:
        own = 0.0 if stage.name in over else left.get(stage.name, predicted.get(stage.name, 0.0))
        boundary = BOUNDARY_S if own and stage.name not in left else 0.0
        ends[stage.name] = max((ends[name] for name in stage.after), default=0.0) + own + boundary
    return max(ends.values()) + BOUNDARY_S


def gpu_left_s(predicted: Mapping[str, Any], ended: Iterable[str]) -> float:
    """GPU-seconds of a prediction that are still to come."""
    over = set(ended)
    return gpu_s({stage: value for stage, value in predicted.items() if stage not in over})
