"""A render ends with its Airflow run, whoever ended that and however."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from kit.eventually import eventually
from kit.running_site import Site, avatarlab, request

from avatarlab_ops.renders.status import RenderStatus

LONG = "There is so much to say that nobody could wait for the end of it. " * 60
URL = "/api/v2/dags/avatar_render/dagRuns/{}"


def begun(site: Site, name: str) -> str:
    """Run id of a render at work on a stage that takes a while."""
    run_id = site.submit(request(script=f"{name}. {LONG}", background={"kind": "blur"}))
    eventually(
        lambda: "running" in {site.client.tasks(run_id)[stage] for stage in ("speech", "matte", "face")}
    )
    return run_id


def ended(site: Site, run_id: str, render_id: str) -> RenderStatus:
    """The render's last state, once no task of its run is at work.

    Ten seconds are promised; a loaded machine gets thirty.
    """
    from avatarlab_ops.renders import status

    def look() -> RenderStatus | None:
        found = status.of(site.settings, render_id)
        return found if found.state not in ("accepted", "running") else None

    return eventually(look, end_s=30)


def test_a_run_that_somebody_marks_failed_ends_its_render(site: Site) -> None:
    run_id = begun(site, "Marked")
    render_id = site.status(run_id).render_id
    assert site.client.cancel(run_id, "by hand")
    found = ended(site, run_id, render_id)
    assert found.state == "failed"
    assert f"run {run_id} failed" in str(found.error)


def test_a_run_that_somebody_deletes_ends_its_render(site: Site) -> None:
    run_id = begun(site, "Deleted")
    render_id = site.status(run_id).render_id
    assert site.client.cancel(run_id, "by hand")
    site.client._call("DELETE", URL.format(run_id))
    found = ended(site, run_id, render_id)
    assert (found.state, found.error) == ("cancelled", f"Airflow's run {run_id} was deleted")


def test_cancel_ends_the_render_and_the_tasks_of_its_run(site: Site, tmp_path: Path) -> None:
    run_id = begun(site, "Cancelled")
    render_id = site.status(run_id).render_id
    done = avatarlab("cancel", run_id)
    assert (done.returncode, done.stdout) == (0, f"{run_id} cancelled\n"), done.stderr
    assert ended(site, run_id, render_id).state == "cancelled"
    assert site.finish(run_id) == "failed"
    eventually(lambda: not {"running", "deferred", "queued"} & set(site.client.tasks(run_id).values()))
    assert "cancel" in site.client.run(run_id)["note"]  # of who asked, or of a task that stopped for it
    again = avatarlab("cancel", render_id)
    assert (again.returncode, again.stdout) == (0, f"{render_id} had ended before: cancelled\n"), again.stderr
    assert avatarlab("watch", run_id).returncode == 6
    assert json.loads(avatarlab("status", run_id, "--format", "json").stdout)["error_code"] == "cancelled"


@pytest.mark.parametrize("run", ["nobody-knows-it", "20990101-000000-00000000"])
def test_cancel_of_what_is_not_there_says_so(site: Site, run: str) -> None:
    done = avatarlab("cancel", run)
    assert done.returncode == 2
    assert run in done.stderr
