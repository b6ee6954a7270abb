"""What there is to choose from, what a request would take, and what a change would touch."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from avatarlab_ops import engines as known
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.info import EngineInfo, SpeechInfo
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.lineage import query
from avatarlab_ops.lineage.query import Change
from avatarlab_ops.renders import avatars as likenesses
from avatarlab_ops.renders.estimate import estimate as foresee
from avatarlab_web import files
from avatarlab_web.api import views
from avatarlab_web.api.access import Author, Reader
from avatarlab_web.api.problems import MISSING, ORDERING, Refusal
from avatarlab_web.api.renders import Order
from avatarlab_web.stores import Stores

router = APIRouter(tags=["catalogue"])


class Engine(BaseModel):
    """An implementation of a stage's model."""

    kind: str
    name: str
    version: str
    installed: bool = Field(description="Whether its model files are here.")
    cuda: bool = Field(description="It runs on a GPU where there is one.")
    notes: str
    languages: list[str] = Field(description="Of a speech engine.")
    clones: bool = Field(description="A speech engine that can speak in the voice of a sample.")


class Voice(BaseModel):
    """A voice that a speech engine has built in."""

    engine: str
    name: str
    languages: list[str]
    subject: str = Field(description="Whose voice it is.")
    terms: str = Field(description="Under which anybody may use it.")
    accent: str = Field(description="With which accent it speaks; empty where none is clear.")


class Avatar(BaseModel):
    """A likeness that may be used now."""

    uri: str
    sha256: str
    kind: str
    width: int
    height: int
    duration_s: float | None
    subject: str
    consent_id: str
    prepared: bool = Field(description="What depends on the likeness alone was made before.")
    picture: str = Field(description="Leads to the object itself.")


class Touched(BaseModel):
    """A published video that a change touches."""

    id: str
    run_id: str | None
    published_at: datetime
    links: views.Links


class TouchedPage(BaseModel):
    """One page of them; `cursor` asks for the next."""

    videos: list[Touched]
    cursor: str | None


@router.post("/estimates", responses={429: ORDERING[429]})
def estimate(asked: Order, who: Author, stores: Stores) -> views.Estimate | None:
    """What an order would take, or why it would be refused; nothing of it is kept, and nobody told."""
    found = foresee(stores, asked.request(), caller=who.name)
    return views.Estimate.of(found) if found else None


@router.get("/engines")
def engines(_who: Reader) -> list[Engine]:
    """Every engine of every kind, whether its model files are here or not."""
    return [_engine(known.info(kind, name)) for kind in known.KINDS for name in known.names(kind)]


def _engine(info: EngineInfo) -> Engine:
    speech = info if isinstance(info, SpeechInfo) else None
    return Engine(
        kind=info.kind,
        name=info.name,
        version=info.version,
        installed=_installed(info),
        cuda=info.cuda,
        notes=info.notes,
        languages=list(speech.languages) if speech else [],
        clones=bool(speech and speech.clones),
    )


def _installed(info: EngineInfo) -> bool:
    try:
        for name in info.file_names:
            weights.path(name)
    except EngineUnavailable:
        return False
    return True


@router.get("/voices")
def voices(
    _who: Reader, language: Annotated[str | None, Query(description="BCP 47 tag.")] = None
) -> list[Voice]:
    """The voices that are built into speech engines."""
    return [
        Voice(engine=engine.name, **asdict(voice) | {"languages": list(voice.languages or engine.languages)})
        for engine in (known.info("speech", name) for name in known.names("speech"))
        for voice in engine.voices
        if language is None or voice.name in engine.voices_of(engine.language(language) or "")
    ]


@router.get("/avatars")
def avatars(who: Reader, stores: Stores, request: Request) -> list[Avatar]:
    """The likenesses that may be used now, newest first."""
    root = views.base(request)
    return [
        Avatar(**asdict(one), picture=f"{root}/avatars/{one.sha256}/picture")
        for one in likenesses.usable(stores, who.name)
    ]


@router.get("/avatars/{sha256}/picture", status_code=307, responses=MISSING)
def picture(sha256: str, who: Reader, stores: Stores) -> RedirectResponse:
    """Lead to the object of a likeness, by an address that soon expires."""
    found = likenesses.one(stores, who.name, sha256)
    if found is None:
        raise Refusal(404, "not_found", f"there is no avatar {sha256!r}")
    return RedirectResponse(files.address(stores, found.uri, kind=found.kind))


@router.get("/impact")
def impact(
    _who: Reader,
    stores: Stores,
    request: Request,
    *,
    kind: Annotated[Change, Query(description="What changed.")],
    value: Annotated[str, Query(description="Address or sha256, NAME or NAME@VERSION, file, or version.")],
    cursor: str = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TouchedPage:
    """The published videos that a change touches, through cached results too."""
    page = query.impact(stores, kind, value, after=cursor, limit=limit)
    root = views.base(request)
    videos = [_touched(root, video) for video in page.videos]
    return TouchedPage(videos=videos, cursor=page.after)


def _touched(root: str, video: Any) -> Touched:
    names = [video.uri.rpartition("/")[2]] if video.uri else []
    return Touched(
        id=video.render_id,
        run_id=video.run_id,
        published_at=video.published_at,
        links=views.links(root, video.render_id, names),
    )
