"""How a page is made: its template, its texts, and the headers under which a browser shows it."""

from __future__ import annotations

import functools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

from avatarlab_connections import settings
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from avatarlab_ops.places import RENDER_DAG
from avatarlab_ops.retention import MOST_LINK_DAYS, PERSON_LINK_DAYS, VIDEO_LINK_DAYS
from avatarlab_web import files

HERE = Path(__file__).parent
POLICY = (
    "default-src 'self'; img-src 'self' data: blob: {store}; media-src 'self' blob: {store}; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
FORM_BYTES = 64 * 1024  # of an upload besides its file
PAGES = ("videos", "make", "bulk", "queue", "people", "impact", "verify")  # of the bar above every page
_PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@functools.cache
def texts() -> dict[str, str]:
    """Every text that a person reads, by its name; another language is another file like this."""
    return dict(json.loads((HERE / "texts.json").read_text(encoding="utf-8")))


def text(name: str, **values: Any) -> str:
    """The text of that name, with its values filled in."""
    return texts()[name].format(**values)


def text_or(name: str, plain: str) -> str:
    """The text of that name, `plain` where nobody has written one yet."""
    return texts().get(name, plain)


def stage_name(stage: str) -> str:
    """A stage as people call it; one that has no text yet by the name that the graph gives it."""
    return text_or(f"stage.{stage}", stage)


def kind_name(kind: str) -> str:
    """A kind of background as people call it; one that has no text yet by the contract's name."""
    return text_or(f"background.{kind}", kind)


def when(moment: datetime | None) -> str:
    """A time as the page carries it; the browser shows it in the reader's own zone."""
    return moment.strftime("%Y-%m-%d %H:%M") + " UTC" if moment else ""


def seconds(value: float) -> str:
    """A length as people say it: 8 s, 1:04 min.

    >>> seconds(8.2), seconds(64)
    ('8.2 s', '1:04 min')
    """
    if value < 60:
        return f"{value:.1f} s".replace(".0 s", " s")
    return f"{int(value // 60)}:{int(value % 60):02d} min"


_PAGES.globals |= {"pages": PAGES, "t": text, "when": when, "seconds": seconds, "known": texts}
LINK_DAYS = {"most": MOST_LINK_DAYS, "video": VIDEO_LINK_DAYS, "person": PERSON_LINK_DAYS}
_PAGES.globals |= {"link_days": LINK_DAYS, "stage_name": stage_name, "render_dag": RENDER_DAG}


def made(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    return _PAGES.get_template(template).render(**values)


def show(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A page, under headers that let it load from this server and the object store only."""
    base = request.scope["root_path"]
    html = made(
        template, base=base, api=f"{base}/api/v1", airflow=base.rpartition("/avatarlab")[0],
        embedded=request.query_params.get("in") == "run", **values,
    )  # fmt: skip
    return HTMLResponse(html, status_code, headers())


def headers(policy: str = POLICY) -> dict[str, str]:
    """What every page is sent with; links that open a video would leak through a referrer.

    No store is asked: the page that says one is away has them, too.
    """
    return {
        "Content-Security-Policy": policy.format(store=files.public(settings()).s3_endpoint),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
