"""Feedback: what people think of a video, and of the engines that made it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from avatarlab_ops.renders import feedback
from avatarlab_ops.renders.feedback import Opinion
from avatarlab_web.api.access import Author, Reader
from avatarlab_web.api.problems import MISSING
from avatarlab_web.api.renders import look_up
from avatarlab_web.stores import Stores

router = APIRouter(tags=["feedback"])


class Feedback(BaseModel):
    """What one caller thinks of one video."""

    render_id: str
    caller: str
    at: datetime
    ratings: dict[str, int]
    comments: dict[str, str]
    engines: dict[str, dict[str, Any]]


class Figures(BaseModel):
    """All ratings of one aspect of what one engine version made; of whole videos where engine is null."""

    aspect: str
    stage: str | None
    engine: str | None
    engine_id: str | None
    count: int
    mean: float
    low_share: float


@router.put("/renders/{render_id}/feedback", responses=MISSING)
def give(render_id: str, opinion: Opinion, who: Author, stores: Stores) -> Feedback:
    """Rate a published video from 1 to 5, the whole and each aspect; it replaces what you said before."""
    look_up(stores, render_id)
    return Feedback(**vars(feedback.give(stores, render_id, opinion, caller=who.name)))


@router.get("/renders/{render_id}/feedback", responses=MISSING)
def of_video(render_id: str, _who: Reader, stores: Stores) -> list[Feedback]:
    """What was said of a video, oldest first."""
    look_up(stores, render_id)
    return [Feedback(**vars(one)) for one in feedback.of_video(stores, render_id)]


@router.get("/feedback")
def summary(_who: Reader, stores: Stores) -> list[Figures]:
    """Figures of every aspect and engine version that was rated."""
    return [Figures(**vars(one)) for one in feedback.summary(stores)]
