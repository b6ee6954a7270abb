"""The list of videos, and the page of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import AvatarlabError, ReferenceRefused
from avatarlab_ops.lineage import query, svg
from avatarlab_ops.places import RENDER_DAG
from avatarlab_ops.renders import avatars, feedback, listing, status
from avatarlab_ops.request import KINDS, Behind
from avatarlab_ops.settings import Settings
from avatarlab_ops.states import FINAL, OPEN, RenderState
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.catalog.tables import Render, Share
from avatarlab_ops.trust import shares
from avatarlab_web import runs
from avatarlab_web.api.access import Caller
from avatarlab_web.published import NAMES
from avatarlab_web.stores import Stores
from avatarlab_web.studio import words
from avatarlab_web.studio.access import Viewer
from avatarlab_web.studio.page import kind_name, seconds, show, text

SHOWN = {  # the filters above the list
    "running": OPEN,
    "published": (RenderState.PUBLISHED,),
    "failed": (RenderState.FAILED, RenderState.CANCELLED),
}
router = APIRouter()


@router.get("/videos")
def videos(
    request: Request,
    who: Viewer,
    stores: Stores,
    *,
    state: str = "",
    label: str = "",
    mine: bool = False,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Cards of the newest videos."""
    name, _, value = label.partition("=")
    wanted = listing.Wanted(
        states=SHOWN.get(state, ()),
        awaits_approval=state == "awaiting",
        labels=((name, value),) if name else (),
        caller=who.name if mine else None,
    )
    page = listing.page(stores, wanted, cursor=cursor, limit=24)
    return show(
        request, "videos.html", here="videos", cards=[card(one) for one in page.renders],
        cursor=page.cursor, state=state, label=label, mine=mine, author=who.may("author"),
        moving=any(one.render.state not in FINAL for one in page.renders),
    )  # fmt: skip


def card(one: listing.Listed) -> Json:
    """What a card shows of a render."""
    render, asked = one.render, one.request.body
    length = (render.measures or {}).get("duration_s")
    return {
        "id": render.id, "title": title(asked), "caller": one.request.caller,
        "state": _state(render), "labels": asked.get("labels", {}),
        "created_at": render.created_at, "poster": "poster.jpg" in one.files or render.awaits_approval,
        "length": seconds(length) if length else "",
        "reason": render.error if render.state == RenderState.FAILED else "",
    }  # fmt: skip


def _state(render: Render) -> str:
    return "withdrawn" if render.withdrawn_at else "awaiting" if render.awaits_approval else render.state


def title(request: Json) -> str:
    """The first words of a script, or the name of the recording that has none."""
    said = spoken(request) or _file(_recording(request) or "")
    return said if len(said) <= 90 else f"{said[:88].rsplit(' ', 1)[0]} …"


def spoken(request: Json) -> str:
    """The whole script as one text; "" where only a recording tells what is said."""
    script = request["script"] or ""
    return script if isinstance(script, str) else " ".join(line["text"] for line in script)


@router.get("/videos/{render_id}")
def video(request: Request, who: Viewer, stores: Stores, render_id: str) -> Response:
    """One video: player, progress, figures, reason of failure, files, lineage."""
    try:
        found = status.of(stores, render_id)
    except ReferenceRefused as error:
        return show(request, "nothing.html", here="videos", reason=str(error), status_code=404)
    asked = listing.one(stores, render_id)
    traced = query.trace(stores, render_id) if found.state == RenderState.PUBLISHED else None
    body, plan = asked.request.body, asked.render.plan or {}
    behind = body["background"]["kind"]
    return show(
        request, "video.html", here="videos", voice=_voice(body, plan), narrated=_recording(body) is not None,
        author=who.may("author"), asked=asked.request.body,
        caller=asked.request.caller, title=title(asked.request.body),
        language=plan.get("language") or body["language"] or "en",
        behind=kind_name(behind), cut_out=KINDS.get(behind, Behind()).cut_out,
        script=spoken(asked.request.body) or text("video.recognised"),
        files=[file for file, names in NAMES.items() if set(names) & set(asked.files)],
        opinions=_opinions(stores, found), lineage=svg.drawn(traced) if traced else "",
        source=_source(stores, who, traced), links=_links(stores, render_id),
        mine=asked.request.caller == who.name or who.may("operator"),
        operator=who.may("operator"), asked_for=found.awaits_approval, **_seen(found),
    )  # fmt: skip


@router.get("/videos/{render_id}/live")
def live(request: Request, _who: Viewer, stores: Stores, render_id: str, *, asked: bool = False) -> Response:
    """The part of a video's page that moves while it is made; `asked`: the page asks for approval."""
    try:
        found = status.of(stores, render_id)
    except ReferenceRefused:
        return Response(status_code=404)
    return show(request, "_progress.html", asked_for=asked, **_seen(found))


def _seen(found: status.RenderStatus) -> Json:
    over = found.state in FINAL
    return {
        "seen": found, "over": over, "left": _left(found),
        "news": words.news(found.state, found.stages, found.expected_start),
        "steps": [words.step(stage, over=over) for stage in found.stages],
        "measures": words.measures(found.measures), "advice": words.advice(found.error_code),
        "playable": found.state == RenderState.PUBLISHED and found.withdrawn_at is None,
    }  # fmt: skip


def _left(found: status.RenderStatus) -> str:
    """How long it still takes, or took."""
    if found.ended_at:
        took = seconds((found.ended_at - found.created_at).total_seconds())
        return text("progress.over", state=text(f"state.{found.state}"), took=took)
    if found.awaits_approval or not found.expected_end:
        return ""
    left_s = (found.expected_end - datetime.now(UTC)).total_seconds()
    return text("progress.left", left=seconds(round(left_s))) if left_s > 1 else text("progress.soon")


def _links(settings: Settings, render_id: str) -> list[Share]:
    with transaction(settings.pg_dsn) as db:
        return shares.listed(db, "video", render_id)


def _voice(body: Json, plan: Json) -> str:
    """What is heard: a recording, or a voice."""
    if uri := _recording(body):
        return text("video.detail.narration", file=_file(uri))
    return body["voice"] or str(plan.get("voice", ""))


def _file(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _recording(body: Json) -> str | None:
    """The narration that was asked for; requests of earlier versions know of none."""
    uri: str | None = body.get("narration", {}).get("uri")
    return uri


def _opinions(settings: Settings, found: status.RenderStatus) -> list[Any]:
    return feedback.of_video(settings, found.render_id) if found.state == RenderState.PUBLISHED else []


def _source(settings: Settings, who: Caller, traced: Json | None) -> avatars.Avatar | None:
    """The footage or portrait that a video was made from, where this viewer may use it now."""
    used = traced["inputs"].get("avatar") if traced else None
    return avatars.one(settings, who.name, used["sha256"]) if used else None


@router.get("/runs/{run_id:path}")
def run(request: Request, _who: Viewer, stores: Stores, run_id: str, dag: str = RENDER_DAG) -> Response:
    """The video of an Airflow run, as a tab of its page."""
    try:
        renders = status.renders_of_run(stores, run_id)
    except AvatarlabError as error:
        return show(request, "nothing.html", here="", reason=str(error), status_code=503)
    if not renders:
        return show(request, "nothing.html", here="", reason=_without_render(dag, run_id))
    return RedirectResponse(f"{request.scope['root_path']}/videos/{renders[0]}?in=run")


def _without_render(dag: str, run_id: str) -> str:
    """Why a run has no video: another DAG's, refused with the reason that its note gives, or not begun."""
    if dag != RENDER_DAG:
        return text("run.other")
    return runs.note(run_id) or text("run.none.how")
