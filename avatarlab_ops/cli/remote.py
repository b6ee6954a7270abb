"""A render as the HTTP API tells of it: followed and fetched from any machine, without the stores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from avatarlab_ops.canonical import Json
from avatarlab_ops.cli.common import echo

if TYPE_CHECKING:
    from rich.console import Console

    from avatarlab_ops.cli.client import AirflowClient
    from avatarlab_ops.renders.status import RenderStatus

POLL_S = 1.0
# Link of a render to the ending of the file; None: the video's own, as the caller names it.
FILES = {"video": None, "captions_srt": ".srt", "captions": ".vtt", "chapters": ".chapters.vtt",
         "poster": ".jpg", "manifest": ".json", "credentials": ".c2pa"}  # fmt: skip


def status_of(told: Json) -> RenderStatus:
    """What `GET /renders/{id}` answers, as the catalog would tell it."""
    from pydantic import TypeAdapter  # with the class below, for one answer

    from avatarlab_ops.renders.status import RenderStatus

    reason, links = told["reason"] or {}, told["links"]
    named = {
        "render_id": told["id"], "error_code": reason.get("code"), "error": reason.get("text"),
        "error_stage": reason.get("stage"), "video_uri": links["video"], "manifest_uri": links["manifest"],
    }  # fmt: skip
    return TypeAdapter(RenderStatus).validate_python(told | named)


def finish(client: AirflowClient, render_id: str, console: Console, out: Path | None) -> None:
    """Show a render until it is final; then copy what belongs to the video, when asked, and tell.

    Raises RenderFailedError with the reason when it ends without a video.
    """
    from avatarlab_ops.cli.watch import check_published, follow

    check_published(follow(lambda: status_of(client.render(render_id)), console, every_s=POLL_S))
    told = client.render(render_id)
    if out:
        for name, ending in FILES.items():
            if link := told["links"][name]:
                place = out.with_suffix(ending) if ending else out
                client.save(link, place)
                echo(f"{name:<12} {place}")
    for warning in told["warnings"]:
        echo(f"warning      {warning}", err=True)
    echo(f"published    {client.whole(told['links']['video'])} ({told['duration_s']:.1f} s)")
