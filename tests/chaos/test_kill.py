"""SIGKILL for one process in mid-render: one published video or one clear failure, nothing torn."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from typing import TypeVar

import av
import psutil
import pytest
from kit.eventually import eventually
from kit.running_site import Site, request

from avatarlab_ops.embedded import control, servers
from avatarlab_ops.embedded.sessions import members
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.renders import status
from avatarlab_ops.stores.objects import objects

END_S = 420.0
SCRIPT = "This is take {}. It is a little longer than the others, so that there is time to do some harm."


def part(name: str) -> Callable[[Site], list[int]]:
    return lambda site: [read_state(site.home)["sessions"][name]]


def store(name: str) -> Callable[[Site], list[int]]:
    return lambda site: [s.pid for s in servers.status(site.home) if s.name == name and s.pid]


def workers(site: Site) -> list[int]:
    """LocalExecutor workers that run a task."""
    scheduler = read_state(site.home)["sessions"]["scheduler"]
    titles = [(process, " ".join(process.cmdline())) for process in members(scheduler)]
    return [p.pid for p, title in titles if "LocalExecutor" in title and "<idle>" not in title]


def tasks(site: Site) -> list[int]:
    """The processes in which the tasks themselves run."""
    return [child.pid for worker in workers(site) for child in psutil.Process(worker).children()]


def supervisor(site: Site) -> list[int]:
    return [read_state(site.home)["pid"]]


T = TypeVar("T")

VICTIMS: dict[str, Callable[[Site], list[int]]] = {
    "task": tasks,
    "worker": workers,
    "scheduler": part("scheduler"),
    "api-server": part("api-server"),
    "postgres": store("postgres"),
    "mongo": store("mongo"),
    "s3": store("s3"),
    "supervisor": supervisor,
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", VICTIMS)
def test_one_video_or_one_reason(site: Site, victim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVATARLAB_PORT", raising=False)  # as people have it: that of the last start
    wish = request(script=SCRIPT.format(victim), idempotency_key=f"chaos-{victim}")
    run_id = site.submit(wish)
    render_id = wait(lambda: site.client.xcom(run_id, "admit", "render_id"))
    wait(lambda: running_stage(site, render_id) in ("lipsync", "composite"))
    doomed = wait(lambda: VICTIMS[victim](site))
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    control.up(site.home, print)
    final = wait(lambda: ended(site, render_id))
    check_ending(site, final)
    outputs = [key for key in objects(site.settings).keys("outputs") if render_id in key]
    assert len([key for key in outputs if key.endswith((".mp4", ".webm"))]) == (final.state == "published")
    check_artifacts(site)
    # The site is whole again: the next render needs no help.
    after = site.submit(request(script=f"After {victim}.", idempotency_key=f"after-{victim}"))
    assert site.finish(after) == "success"


def check_ending(site: Site, final: status.RenderStatus) -> None:
    if final.state == "failed":
        assert final.error
        return
    assert final.state == "published"
    published = status.published(site.settings, final.render_id)
    assert published
    with av.open(io.BytesIO(objects(site.settings).read(*split_reference(published.video_uri)))) as video:
        frames = sum(1 for _ in video.decode(video=0))
    assert frames == pytest.approx(published.duration_s * 24, abs=1)


def check_artifacts(site: Site) -> None:
    """Every object's bytes are those that its digest promises."""
    import hashlib

    store = objects(site.settings)
    for key in store.keys("artifacts"):
        known = store.head("artifacts", key)
        assert known
        assert hashlib.sha256(store.read("artifacts", key)).hexdigest() == known.sha256, key


def running_stage(site: Site, render_id: str) -> str | None:
    stages = status.of(site.settings, render_id).stages
    return next((stage.stage for stage in stages if stage.state == "running"), None)


def ended(site: Site, render_id: str) -> status.RenderStatus | None:
    seen = status.of(site.settings, render_id)
    return seen if seen.state in ("published", "failed", "cancelled") else None


def wait(look: Callable[[], T | None], end_s: float = END_S) -> T:
    """What `look` gives once it gives something; stores and parts may be away meanwhile."""
    return eventually(look, AvatarlabError, psutil.NoSuchProcess, end_s=end_s)
