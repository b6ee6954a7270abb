"""Holds a history against the promises of the design; every finding is a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from kit.storm.history import History, Made

from avatarlab_ops.states import FINAL, LIVE, ItemState


@dataclass(frozen=True)
class Verdict:
    """One promise: how many things it was held against, and what broke it."""

    promise: str
    looked_at: int
    findings: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing broke it, and something could have."""
        return not self.findings and self.looked_at > 0


def judge(history: History) -> list[Verdict]:
    """Every promise that a history can be held against."""
    return [
        Verdict(promise, count(history), tuple(find(history))) for promise, (count, find) in PROMISES.items()
    ]


def _lost(history: History) -> Iterator[str]:
    known = {render.id: render for render in history.renders}
    for key, ids in history.answers.items():
        yield from (f"{key}: render {one} was answered and is not there" for one in ids - known.keys())
    for render in history.renders:
        if render.state not in FINAL:
            yield f"{render.key}: render {render.id} is still {render.state}"
        if render.state == "failed" and not render.error:
            yield f"{render.key}: render {render.id} failed without a reason"
    items = Counter(item.bulk for item in history.items)
    for name, count in history.bulk.items():
        if items[name] != count:
            yield f"bulk run {name}: {items[name]} items, not {count}"
    for item in history.items:
        if item.state == ItemState.WAITING:
            yield f"bulk run {item.bulk}: item {item.key} has not ended"


def _twice(history: History) -> Iterator[str]:
    for key, ids in history.answers.items():
        if len(ids) > 1:
            yield f"{key}: answered with {len(ids)} renders: {', '.join(sorted(ids))}"
    alive = Counter(render.key for render in history.renders if render.state in LIVE)
    yield from (f"{key}: {count} renders published or alive" for key, count in alive.items() if count > 1)
    done = Counter(made for _, _, state, made in history.stages if made and state == "done")
    yield from (f"artifact {made}: made by {count} stages" for made, count in done.items() if count > 1)
    told = history.completions.items()
    yield from (f"render {one}: its end was told {count} times" for one, count in told if count > 1)
    for one, names in history.published.items():
        if (videos := sum(name.startswith("video.") for name in names)) != 1:
            yield f"render {one}: {videos} videos"


def _torn(history: History) -> Iterator[str]:
    for key, sha256 in history.promised.items():
        if sha256 is not None and history.objects.get(key) != sha256:
            yield f"{key}: its bytes are not those of its digest"
    for fingerprint, made in history.artifacts.items():
        for key, sha256 in made.files.items():
            if history.objects.get(key) != sha256:
                lies = "other bytes lie there" if key in history.objects else "it is not there"
                yield f"artifact {fingerprint} ({made.stage}): {key}: {lies}"
    shown = {key for names in history.published.values() for key, _ in names.values()}
    for key in history.objects:
        if key.startswith("outputs/renders/") and key not in shown:
            yield f"{key}: lies among the published files, and no published video has it"


def _untraced(history: History) -> Iterator[str]:
    states = {render.id: render.state for render in history.renders}
    for one, names in history.published.items():
        if states.get(one) != "published":
            yield f"render {one}: has published files and is {states.get(one)}"
        for name, (key, sha256) in names.items():
            if history.objects.get(key) != sha256:
                yield f"render {one}: {name} in the store is not what the catalog says"
        told = {name: sha256 for name, (_, sha256) in names.items() if name != "manifest.json"}
        if history.manifests.get(one) != told:
            lies = "differs" if one in history.manifests else "is missing"
            yield f"render {one}: its manifest in MongoDB {lies}"
    for one, state in states.items():
        if state == "published" and one not in history.published:
            yield f"render {one}: published, without files"
        if state == "published" and not history.completions.get(one):
            yield f"render {one}: no lineage event tells its end"
    yield from (f"render {one}: its lineage lacks {lack}" for one, lack in history.untraced.items())


def _lease(history: History) -> Iterator[str]:
    if history.most_held > history.places:
        yield f"{history.most_held} slots were seen held, the device has {history.places}"
    if (most := most_at_once(list(at_work(history)))) > history.places:
        yield f"{most} slots' work was done at one time, the device has {history.places}"


def at_work(history: History) -> Iterator[tuple[datetime, datetime, int]]:
    """From when to when makers of artifacts held how many slots, where the times can be believed."""
    for made in history.artifacts.values():
        if made.slots and _timed(history, made):
            yield made.until - timedelta(seconds=made.compute_s), made.until, made.slots


def _timed(history: History, made: Made) -> bool:
    """Whether the time of a record can be believed: the clock of its writer was not being stepped."""
    return not any(begin <= made.until <= end for begin, end in history.steps)


def most_at_once(spells: list[tuple[datetime, datetime, int]]) -> int:
    """The most slots that were taken at one time."""
    changes = [(begin, slots) for begin, _, slots in spells] + [(end, -slots) for _, end, slots in spells]
    return max(accumulate(slots for _, slots in sorted(changes)), default=0)


def _unfinished(history: History) -> Iterator[str]:
    for run, state in history.runs.items():
        if state not in ("success", "failed"):
            yield f"Airflow's run {run} is {state}"
    yield from (f"Airflow's task has not ended: {task}" for task in history.tasks_open)
    for state, count in history.outbox.items():
        if count:
            yield f"outbox: {count} messages {state}"


Find = Callable[[History], Iterator[str]]
PROMISES: dict[str, tuple[Callable[[History], int], Find]] = {
    "Nothing is lost: what was accepted reached one terminal state, with a reason where it failed": (
        lambda h: len(h.answers) + len(h.items), _lost,
    ),
    "Nothing is done twice: one render, one video, one artifact, one end told": (
        lambda h: len(h.renders), _twice,
    ),
    "Nothing half-written is visible: all bytes are those of their digests": (
        lambda h: len(h.objects), _torn,
    ),
    "Every published byte can be traced to request, input, engine, weights, code and consent": (
        lambda h: sum(len(names) for names in h.published.values()), _untraced,
    ),
    "The lease is never exceeded": (lambda h: len(list(at_work(h))), _lease),
    "Nothing is left over: runs, tasks and messages have ended": (lambda h: len(h.runs), _unfinished),
}  # fmt: skip
