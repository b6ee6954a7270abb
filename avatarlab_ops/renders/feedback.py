"""What people think of a published video: a rating and a comment, of the whole and of each aspect.

MongoDB holds one document per caller and video; who judges again replaces it. The document names the engine
versions that made what was judged, as the catalog knew them, so a summary asks one store only. Of a video
that was withdrawn, what was said before stays: it is about engines.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

import sqlalchemy as sa
from pydantic import Field, ValidationError, model_validator

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InputError
from avatarlab_ops.fields import Part, PlainLines
from avatarlab_ops.graph import GRAPH, SPEECH
from avatarlab_ops.lineage import query
from avatarlab_ops.refusal import refusal
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import RATED, Aspect, RenderState
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.catalog.tables import Render
from avatarlab_ops.stores.documents import documents

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


COLLECTION = "feedback"
# The stages whose engines a rating is about. Timing is about two: speech says when, lip-sync follows.
STAGES: dict[Aspect, tuple[str, ...]] = {
    aspect: tuple(stage.name for stage in GRAPH if aspect in stage.judged) for aspect in RATED
}
LOW = 2  # a rating at or below this is a bad one
MAX_CALLER = 200
Rating = Annotated[int, Field(ge=1, le=5)]
Comment = Annotated[PlainLines, Field(min_length=1, max_length=2000)]


class Opinion(Part):
    """Ratings from 1 (bad) to 5 (good), and comments. `video` is the whole and must be rated."""

    ratings: dict[Aspect, Rating]
    comments: dict[Aspect, Comment] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "video" not in self.ratings:
            raise ValueError("ratings.video: rate the video as a whole, from 1 to 5")
        return self

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Check `data`. Raises RequestInvalid naming every wrong field."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise refusal(error) from error


@dataclass(frozen=True)
class Feedback:
    """What one caller thinks of one video. `engines`: stage to {id, name, version} of what made it."""

    render_id: str
    caller: str
    at: datetime
    ratings: dict[Aspect, int]
    comments: dict[Aspect, str]
    engines: dict[str, Json]


@dataclass(frozen=True)
class Figures:
    """All ratings of one aspect of what one engine version made; of the whole video if `engine` is None."""

    aspect: Aspect
    stage: str | None
    engine: str | None  # NAME@VERSION
    engine_id: str | None  # tells the same version with other weights apart
    count: int
    mean: float
    low_share: float  # of ratings of 1 or 2, from 0 to 1


def give(settings: Settings, video: str, opinion: Opinion, *, caller: str) -> Feedback:
    """Keep what a caller thinks of a published video, in place of what they thought before.

    `video`: see `query.trace`. Raises ReferenceRefused when the catalog knows no such video, InputError
    when it is not published, was withdrawn, or has nothing of an aspect that is judged.
    """
    if not 0 < len(caller) <= MAX_CALLER:
        raise InputError(f"a caller's name has 1 to {MAX_CALLER} characters, not {len(caller)}")
    with transaction(settings.pg_dsn) as db:
        render = query.find_render(db, settings, video)
        _check_shown(render)
        engines = _engines(db, render.id)
        if (render.plan or {}).get("narration"):
            engines.pop(SPEECH.name, None)  # it is not heard, and the times are the reader's
    _check_made(opinion, engines)
    document = opinion.model_dump() | {"render_id": render.id, "caller": caller, "engines": engines}
    document["at"] = datetime.now(UTC).isoformat()
    documents(settings).save(COLLECTION, f"{render.id}/{caller}", document)
    return _feedback(document)


def _check_shown(render: Render) -> None:
    if render.state != RenderState.PUBLISHED:
        raise InputError(f"render {render.id} is {render.state}; only a published video can be rated")
    if render.withdrawn_at is not None:
        raise InputError(
            f"video {render.id} was withdrawn ({render.withdrawn_reason}) and is shown no longer"
        )


def _engines(db: Session, render_id: str) -> dict[str, Json]:
    """Stage to {id, name, version} of the engine that made its artifact."""
    query = (
        sa.select(m.StageRun.stage, m.EngineVersion)
        .join(m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact)
        .join(m.EngineVersion, m.EngineVersion.id == m.Artifact.engine_version_id)
        .where(m.StageRun.render_id == render_id)
    )
    return {
        stage: {"id": engine.id, "name": engine.name, "version": engine.version}
        for stage, engine in db.execute(query)
    }


def _check_made(opinion: Opinion, engines: Mapping[str, Json]) -> None:
    for aspect in (*opinion.ratings, *opinion.comments):
        if STAGES[aspect] and not any(stage in engines for stage in STAGES[aspect]):
            raise InputError(f"{aspect}: no engine made it in this video; leave it out")


def of_video(settings: Settings, video: str) -> list[Feedback]:
    """What was said of a video, oldest first. Raises ReferenceRefused when there is no such video."""
    with transaction(settings.pg_dsn) as db:
        render_id = query.find_render(db, settings, video).id
    found = documents(settings).aggregate(
        COLLECTION, {"$match": {"render_id": render_id}}, {"$sort": {"at": 1, "caller": 1}}
    )
    return [_feedback(document) for document in found]


def _feedback(document: Json) -> Feedback:
    told = {name: value for name, value in document.items() if name not in ("_id", "at")}
    return Feedback(at=datetime.fromisoformat(document["at"]), **told)


def summary(settings: Settings) -> list[Figures]:
    """Figures of every aspect and engine version that was rated, in the order of RATED, then by name."""
    pairs = [(aspect, stage) for aspect in RATED for stage in STAGES[aspect] or (None,)]
    return [line for aspect, stage in pairs for line in _figures(settings, aspect, stage)]


def _figures(settings: Settings, aspect: Aspect, stage: str | None) -> Iterator[Figures]:
    rating = f"$ratings.{aspect}"
    made = {f"engines.{stage}": {"$exists": True}} if stage else {}
    rows = documents(settings).aggregate(
        COLLECTION,
        {"$match": {f"ratings.{aspect}": {"$exists": True}} | made},
        {
            "$group": {
                "_id": f"$engines.{stage}" if stage else None,
                "count": {"$sum": 1},
                "mean": {"$avg": rating},
                "low_share": {"$avg": {"$cond": [{"$lte": [rating, LOW]}, 1, 0]}},
            }
        },
        {"$sort": {"_id.name": 1, "_id.version": 1, "_id.id": 1}},
    )
    for row in rows:
        engine = row.pop("_id")
        name = f"{engine['name']}@{engine['version']}" if engine else None
        yield Figures(aspect, stage, name, engine["id"] if engine else None, **row)


def rated_below(settings: Settings, limits: Mapping[Aspect, float]) -> list[str]:
    """Render ids of the videos whose mean rating is below the limit, in every aspect that has one."""
    means = {aspect: {"$avg": f"$ratings.{aspect}"} for aspect in limits}
    below = {aspect: {"$lt": limit} for aspect, limit in limits.items()}  # holds for numbers only
    rows = documents(settings).aggregate(
        COLLECTION, {"$group": {"_id": "$render_id", **means}}, {"$match": below}
    )
    return [row["_id"] for row in rows]
