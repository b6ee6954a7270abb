"""The page on which a video is composed, and what it asks for while somebody writes."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import FormData, UploadFile

from avatarlab_ops.canonical import Json
from avatarlab_ops.engines.choice import DEFAULT, speech_engine
from avatarlab_ops.errors import EngineUnavailable, InputError, ReferenceRefused
from avatarlab_ops.fields import COLOUR, MAX_SCRIPT_CHARACTERS
from avatarlab_ops.forms import form_schema
from avatarlab_ops.graph import STAGES
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.renders import avatars, intake, listing
from avatarlab_ops.request import KINDS, OF_ONE_ORDER, AvatarRequest, BackgroundKind, Behind
from avatarlab_ops.settings import Settings
from avatarlab_web.api import previews
from avatarlab_web.stores import Stores
from avatarlab_web.studio import voices
from avatarlab_web.studio.access import Author
from avatarlab_web.studio.page import FORM_BYTES, kind_name, show, stage_name, text, text_or
from avatarlab_web.studio.videos import spoken

router = APIRouter()


@router.get("/make")
def make(request: Request, who: Author, stores: Stores, like: str = "") -> Response:
    """The form; `like` fills it with what an earlier render was asked for."""
    threading.Thread(target=previews.desk.warm, daemon=True).start()  # ready when the first is asked for
    earlier, able = _earlier(stores, like), voices.voices()
    chosen = earlier or AvatarRequest.parse({"script": "-", "avatar": {"uri": "s3://inputs/-"}}).canonical()
    return show(
        request, "make.html", here="make", me=who.name, most_bytes=Limits().max_bytes,
        labels=_labels(chosen["labels"]), avatars=avatars.usable(stores, who.name), voices=able,
        languages=list(dict.fromkeys(one for voice in able for one in voice.languages)),
        earlier=earlier, chosen=chosen, like=like, script=spoken(earlier) if earlier else "",
        earlier_json=json.dumps(earlier) if earlier else "", most=MAX_SCRIPT_CHARACTERS,
        stages=json.dumps({name: stage_name(name) for name in STAGES}), colours=_colours(),
        backgrounds=[_Kind(kind, kind_name(kind), KINDS[kind])
                     for kind in _kinds(chosen["background"]["kind"])],
    )  # fmt: skip


def _labels(labels: dict[str, str]) -> str:
    """Labels as the form takes them: a value that commas or quotes would break stands in double quotes."""
    quoted = {
        name: '"{}"'.format(value.replace('"', '""')) if re.search(r'[,"]|^\s|\s$', value) else value
        for name, value in labels.items()
    }
    return ", ".join(f"{name}={value}" for name, value in quoted.items())


class _Kind(NamedTuple):
    """A kind of background as the form shows it."""

    name: BackgroundKind
    label: str
    behind: Behind


def _colours() -> dict[str, str]:
    """Fields of a background that are colours, as the contract has them, and what the form calls each."""
    fields = {name.partition("background.")[2]: schema for name, schema in form_schema().items()}
    return {
        name: text_or(f"make.{name}", schema["title"])
        for name, schema in fields.items() if name and schema.get("pattern") == COLOUR
    }  # fmt: skip


def _kinds(earlier: str) -> list[BackgroundKind]:
    """Kinds of which the form can ask all that they need, and that of an earlier request, which has it."""
    return [kind for kind, behind in KINDS.items() if kind == earlier or {*behind.needs} <= {*_colours()}]


def _earlier(settings: Settings, render_id: str) -> Json | None:
    if not render_id:
        return None
    try:
        found = listing.one(settings, render_id)
    except ReferenceRefused:
        return None
    body, plan = found.request.body, found.render.plan or {}
    spoke, language = _spoken_by(body, plan)
    body |= {"engines": body["engines"] | {"speech": spoke}, "language": language}
    body |= {"voice": body["voice"] or _built_in(plan)}
    return {name: value for name, value in body.items() if name not in OF_ONE_ORDER}


def _spoken_by(body: Json, plan: Json) -> tuple[str, str | None]:
    """Engine and language that spoke, or would have where the render was refused before it was planned."""
    if plan:
        return plan["engines"]["speech"], plan["language"]
    asked, language, voice = body["engines"]["speech"], body["language"], body["voice"]
    try:
        engine = speech_engine(asked, language, voice)
    except EngineUnavailable:
        return asked or DEFAULT, language
    return engine.name, engine.language(language, voice)


def _built_in(plan: Json) -> str | None:
    """The engine's own voice that spoke, if no sample or narration did."""
    return None if plan.get("voice_sample") or plan.get("narration") else plan.get("voice")


@router.post("/avatars")
async def bring(request: Request, who: Author, stores: Stores) -> Response:
    """Keep an uploaded portrait or clip and the consent to use it; the form is read after the login."""
    length = int(request.headers.get("content-length") or 0)
    if not 0 < length <= Limits().max_bytes + FORM_BYTES:
        return JSONResponse({"detail": text("upload.size", most=Limits().max_bytes >> 20)}, 413)
    async with request.form(max_files=2, max_fields=5) as form:
        try:
            uri = await run_in_threadpool(_keep, stores, form, who.name)
        except InputError as error:
            return JSONResponse({"detail": str(error), "code": error.code}, 422)
    return JSONResponse({"uri": uri}, 201)


def _keep(settings: Settings, form: FormData, caller: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file, evidence = (_written(form.get(name), Path(folder) / name) for name in ("file", "evidence"))
        if file is None:
            raise InputError(text("upload.nothing"))
        licence = str(form.get("licence") or "").strip() or None
        leave = intake.Leave(
            str(form.get("subject") or ""),
            evidence,
            licence,
            recorded_by=caller,
            shared=bool(form.get("shared")),
        )
        return intake.bring(settings, file, leave, caller=caller)


def _written(given: Any, folder: Path) -> Path | None:
    """An uploaded file on disk, under a name that is safe; None where none was chosen."""
    if not isinstance(given, UploadFile) or not given.filename:
        return None
    folder.mkdir()
    path = folder / intake.safe_name(given.filename)
    with path.open("wb") as out:
        shutil.copyfileobj(given.file, out)
    return path
