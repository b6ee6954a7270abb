"""What the API shows of renders. Times are UTC, lengths in seconds; links are paths of this server."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from airflow.sdk.configuration import conf
from fastapi import Query, Request
from pydantic import BaseModel, Field

from avatarlab_ops import errors
from avatarlab_ops.fields import Plain
from avatarlab_ops.plan import Spoken
from avatarlab_ops.renders.estimate import Estimate as Foreseen
from avatarlab_ops.renders.listing import Listed
from avatarlab_ops.renders.standing import Standing as Stood
from avatarlab_ops.renders.status import RenderStatus
from avatarlab_ops.stores.catalog import tables

Words = Annotated[Plain, Query(min_length=1, max_length=500, description="One line; others are told it.")]
EXCERPT = 200  # characters of a script in a list
RETRYABLE = {
    kind.code: kind.retryable
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.AvatarlabError)
}


class Said(BaseModel):
    """A sentence of the script, and how it is read aloud."""

    text: str
    said: str
    sounds: list[tuple[int, str]] = Field(
        description="Of words that a lexicon or a mark tells the sounds of: which of `said`, from 0, and IPA."
    )

    @classmethod
    def of(cls, one: Spoken) -> Said:
        """The sentence as the API tells it."""
        return cls(text=one.text, said=one.said or one.text, sounds=list(one.sounds))


class Estimate(BaseModel):
    """What a request would take."""

    predicted_s: float = Field(description="Seconds of work, all stages together.")
    predicted_gpu_s: float = Field(description="Of these, seconds in the pool `gpu`: what budgets count.")
    stages: dict[str, float] = Field(description="Seconds of work for each stage that has some.")
    cached: list[str] = Field(description="Stages whose result exists already.")
    warnings: list[str] = Field(description="What was noticed about the script and the objects.")
    script: list[Said] = Field(description="Sentence by sentence, as it will be spoken.")

    @classmethod
    def of(cls, found: Foreseen) -> Estimate:
        """The forecast as the API tells it."""
        script = [Said.of(one) for one in found.script]
        return cls(**asdict(found) | {"script": script})


class Stage(BaseModel):
    """One stage.

    state: pending, running, waiting (for equal work elsewhere), awaiting_approval (by a person), done,
    cached, not_needed, failed.
    """

    stage: str
    state: str
    attempt: int
    compute_s: float
    done: int = Field(description="Units done, of `total`.")
    total: int
    unit: str
    rate: float = Field(description="Units a second.")
    expected_end: datetime | None
    error: str | None
    energy_j: float | None = Field(
        description="Joules that its device used meanwhile, by its share of the slots; none: untold."
    )


class Reason(BaseModel):
    """Why a render failed or was cancelled."""

    code: str = Field(examples=["face_refused"])
    stage: str | None
    retryable: bool = Field(description="Whether the same request may succeed later.")
    text: str


class Ways(BaseModel):
    """Where to go on."""

    self: str
    lineage: str
    events: str


class Links(Ways):
    """Where to go on. Files lead to an address of the object store that soon expires."""

    video: str | None = None
    poster: str | None = None
    captions: str | None = None
    captions_srt: str | None = None
    chapters: str | None = Field(default=None, description="WebVTT; of a script with chapters.")
    manifest: str | None = None
    credentials: str | None = Field(default=None, description="Of a WebM, which carries none inside.")


class Summary(BaseModel):
    """A render as a list shows it. state: accepted, running, published, failed, cancelled."""

    id: str
    state: str
    run_id: str | None = Field(description="Airflow's DAG run; none where the command line rendered.")
    caller: str
    labels: dict[str, str]
    script: str = Field(description=f"The first {EXCERPT} characters of what is said.")
    avatar: str
    created_at: datetime
    ended_at: datetime | None
    duration_s: float | None = Field(description="Length of the video.")
    reason: Reason | None
    awaits_approval: bool = Field(description="It is made; an operator approves or refuses it.")
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    links: Links


class Render(Summary):
    """All that is known of a render."""

    request: dict[str, Any] = Field(description="What was asked for, every default written out.")
    stages: list[Stage]
    predicted_s: float | None = Field(description="Seconds of work that were expected when it was admitted.")
    predicted_gpu_s: float | None
    priority: str | None = Field(description="interactive, normal or bulk; none where it was not ordered.")
    expected_start: datetime | None = Field(description="While it waits in line, by the pace of late.")
    expected_end: datetime | None = Field(
        description="While it runs, when nothing else is in the way; in line by the pace of late."
    )
    deadline: datetime | None = Field(description="When it should be made.")
    late: bool = Field(description="It ended beyond its deadline, or is expected to.")
    energy_j: float | None = Field(description="Joules of its stages, as far as their devices tell.")
    approved_by: str | None
    warnings: list[str]
    measures: dict[str, Any] = Field(description="Figures of the published video, as in its manifest.")


class Standing(BaseModel):
    """How a render stands: what a stream of events tells whenever it has changed.

    The rest, its files too, `links.self` tells.
    """

    id: str
    state: str
    run_id: str | None
    stages: list[Stage]
    expected_end: datetime | None
    awaits_approval: bool
    reason: Reason | None
    ended_at: datetime | None
    withdrawn_at: datetime | None
    links: Ways


class Accepted(Render):
    """A render that was just ordered."""

    estimate: Estimate | None = Field(description="None where an object must be looked at first.")


class RenderPage(BaseModel):
    """Renders, newest first. `cursor` asks for the next page, None on the last one."""

    renders: list[Summary]
    cursor: str | None


def base(request: Request) -> str:
    """Path of this API as the caller reaches it."""
    return str(request.scope.get("root_path", "")).rstrip("/")


def outside(request: Request) -> str:
    """Address of Avatarlab for somebody elsewhere: Airflow's `base_url`, else as this caller reached it."""
    known = urlsplit(conf.get("api", "base_url", fallback="") or str(request.base_url))
    return f"{known.scheme}://{known.netloc}{base(request).removesuffix('/api/v1')}"


def summary(root: str, listed: Listed) -> Summary:
    """A render as a list shows it."""
    return Summary(**_common(root, listed.render, listed.request, listed.files))


def whole(root: str, listed: Listed, known: RenderStatus) -> Render:
    """All that is known of a render."""
    return Render(
        **_common(root, listed.render, listed.request, listed.files),
        request=listed.request.body,
        stages=[Stage(**asdict(stage)) for stage in known.stages],
        predicted_s=known.predicted_s,
        predicted_gpu_s=known.predicted_gpu_s,
        priority=known.priority,
        expected_start=known.expected_start,
        expected_end=known.expected_end,
        deadline=known.deadline,
        late=known.late,
        energy_j=known.energy_j,
        approved_by=known.approved_by,
        warnings=list(known.warnings),
        measures=known.measures,
    )


def _common(
    root: str, render: tables.Render, request: tables.Request, files: Iterable[str]
) -> dict[str, Any]:
    return {
        "id": render.id,
        "state": render.state,
        "run_id": render.run_id,
        "caller": request.caller,
        "labels": request.body.get("labels", {}),
        "script": said(request.body["script"])[:EXCERPT],
        "avatar": request.body["avatar"]["uri"],
        "created_at": render.created_at,
        "ended_at": render.ended_at,
        "duration_s": (render.measures or {}).get("duration_s"),
        "reason": _reason(render),
        "awaits_approval": render.awaits_approval,
        "withdrawn_at": render.withdrawn_at,
        "withdrawn_reason": render.withdrawn_reason,
        "links": links(root, render.id, files),
    }


def standing(root: str, found: Stood) -> Standing:
    """How a render stands."""
    render = found.render
    return Standing(
        id=render.id,
        state=render.state,
        run_id=render.run_id,
        stages=[Stage(**asdict(stage)) for stage in found.stages],
        expected_end=found.expected_end,
        awaits_approval=render.awaits_approval,
        reason=_reason(render),
        ended_at=render.ended_at,
        withdrawn_at=render.withdrawn_at,
        links=_ways(f"{root}/renders/{render.id}"),
    )


def said(script: str | list[dict[str, Any]] | None) -> str:
    """A script as text; "" where only a recording tells what is said."""
    script = script or ""
    return script if isinstance(script, str) else "\n".join(line["text"] for line in script)


def _reason(render: tables.Render) -> Reason | None:
    if render.error is None:
        return None
    code = render.error_code or "error"
    return Reason(
        code=code, stage=render.error_stage, retryable=RETRYABLE.get(code, False), text=render.error
    )


def _ways(own: str) -> Ways:
    return Ways(self=own, lineage=f"{own}/lineage", events=f"{own}/events")


def links(root: str, render_id: str, files: Iterable[str]) -> Links:
    """Paths under this API."""
    own = f"{root}/renders/{render_id}"
    there = {name: f"{own}/files/{name}" for name in files}
    video = next((path for name, path in there.items() if name.startswith("video.")), None)
    return Links(
        **_ways(own).model_dump(),
        video=video,
        poster=there.get("poster.jpg"),
        captions=there.get("captions.vtt"),
        captions_srt=there.get("captions.srt"),
        chapters=there.get("chapters.vtt"),
        manifest=there.get("manifest.json"),
        credentials=there.get("credentials.c2pa"),
    )
