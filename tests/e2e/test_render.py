"""Requests through Airflow's REST trigger, as another system sends them."""

from __future__ import annotations

import io
import json
from datetime import datetime
from pathlib import Path

import av
import httpx
import pytest
from kit.running_site import Site, avatarlab, request

from avatarlab_ops.errors import InputError, RequestInvalid
from avatarlab_ops.fields import split_reference
from avatarlab_ops.renders import status
from avatarlab_ops.stores.objects import objects


@pytest.fixture(scope="package")
def first(site: Site) -> str:
    """Run id of the session's first published render."""
    run_id = site.submit(request(idempotency_key="first", labels={"campaign": "first"}))
    assert site.finish(run_id) == "success", site.client.tasks(run_id)
    return run_id


def test_a_request_ends_as_a_published_video(site: Site, first: str) -> None:
    seen = site.status(first)
    assert seen.state == "published"
    published = status.published(site.settings, seen.render_id)
    assert published
    with av.open(io.BytesIO(objects(site.settings).read(*split_reference(published.video_uri)))) as video:
        picture = video.streams.video[0]
        assert (picture.width, picture.height) == (640, 360)
        assert video.streams.audio
        assert picture.frames == pytest.approx(published.duration_s * 24, abs=1)


def test_admit_tells_what_the_render_will_take_and_when_it_ends(site: Site, first: str) -> None:
    told = site.client.xcom(first, "admit")
    assert told["predicted_s"] >= told["predicted_gpu_s"] >= 0
    begun = site.client.run(first)["start_date"]
    assert datetime.fromisoformat(told["expected_end"]) > datetime.fromisoformat(begun)


@pytest.mark.parametrize("stage", ["admit", "publish"])
def test_what_a_stage_logs_names_its_render(site: Site, first: str, stage: str) -> None:
    """Of the two stages that never find their result."""
    log = site.client.get(f"/api/v2/dags/avatar_render/dagRuns/{first}/taskInstances/{stage}/logs/1")
    (ended,) = [line for line in log["content"] if "s of work" in line["event"]]
    assert ended["render_id"] == site.status(first).render_id
    assert ended["event"].startswith(f"{stage} took ")


def test_the_links_lead_a_logged_in_user_to_video_and_manifest(site: Site, first: str) -> None:
    links = site.client.get(f"/api/v2/dags/avatar_render/dagRuns/{first}/taskInstances/publish/links")
    addresses = links["extra_links"]
    assert set(addresses) == {"Video", "Manifest"}
    login = {"username": "admin", "password": site.password("admin")}
    token = httpx.post(f"{site.address}/auth/token", json=login).json()["access_token"]
    stranger = httpx.get(addresses["Video"])
    assert stranger.is_redirect
    assert "/auth/login" in stranger.headers["location"]
    opened = httpx.get(addresses["Video"], headers={"Authorization": f"Bearer {token}"})
    assert opened.is_redirect, opened.text
    video = httpx.get(opened.headers["location"])
    assert video.is_success
    assert video.content[4:8] == b"ftyp"
    opened = httpx.get(addresses["Manifest"], headers={"Authorization": f"Bearer {token}"})
    assert httpx.get(opened.headers["location"]).json()


def test_the_same_key_gives_the_same_run_and_no_second_video(site: Site, first: str) -> None:
    assert site.submit(request(idempotency_key="first", labels={"campaign": "first"})) == first
    with pytest.raises(RequestInvalid, match="was used for another request"):
        site.submit(request(idempotency_key="first", script="Other words."))
    before = list(objects(site.settings).keys("outputs"))
    assert site.finish(first) == "success"
    assert list(objects(site.settings).keys("outputs")) == before


def test_a_published_video_is_an_event_with_its_labels_for_other_dags(site: Site, first: str) -> None:
    found = site.client.get(f"/api/v2/assets/events?source_dag_id=avatar_render&source_run_id={first}")
    (event,) = found["asset_events"]
    assert (event["name"], event["extra"]["labels"]) == ("avatarlab_videos", {"campaign": "first"})
    assert event["extra"]["video"] == site.status(first).video_uri


def test_what_exists_is_skipped_in_the_grid_and_published_anew(site: Site, first: str) -> None:
    run_id = site.submit(request(idempotency_key="second", labels={"try": "second"}))
    assert site.finish(run_id) == "success"
    states = site.client.tasks(run_id)
    assert {states[name] for name in ("speech", "face", "matte", "lipsync", "composite")} == {"skipped"}
    assert states["publish"] == "success"
    assert site.status(run_id).video_uri != site.status(first).video_uri


@pytest.mark.parametrize(
    ("avatar", "said"), [("s3://inputs/e2e/nobody.png", "nobody.png"), ("s3://elsewhere/a.png", "inputs")]
)
def test_a_bad_request_fails_in_admit_with_the_reason(site: Site, avatar: str, said: str) -> None:
    run_id = f"bad-{avatar.partition('//')[2].replace('/', '-')}"
    body = {"dag_run_id": run_id, "logical_date": None, "conf": request(avatar={"uri": avatar})}
    site.client._call("POST", "/api/v2/dags/avatar_render/dagRuns", json=body)
    assert site.finish(run_id) == "failed"
    states = site.client.tasks(run_id)
    assert states.pop("admit") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    refusal = site.client.xcom(run_id, "admit", "refusal")
    assert said in refusal["reason"], refusal
    assert refusal["code"] in ("request_invalid", "reference_refused")
    assert refusal["reason"] in site.client.run(run_id)["note"]
    log = json.dumps(
        site.client.get(f"/api/v2/dags/avatar_render/dagRuns/{run_id}/taskInstances/admit/logs/1")
    )
    assert log.index(refusal["code"]) < log.index("Task failed with exception")


def test_what_breaks_the_contract_is_refused_at_the_trigger_with_every_field(site: Site) -> None:
    conf = {"script": "Hello.", "avatar.uri": "", "colour_of_hat": "red", "output.fps": 1000}
    conf["background"] = {"kind": "colour"}
    body = {"dag_run_id": "refused-at-once", "logical_date": None, "conf": conf}
    answer = site.client._call("POST", "/api/v2/dags/avatar_render/dagRuns", json=body, accept=(422,))
    assert answer.status_code == 422
    for field in ("avatar", "colour_of_hat", "output.fps", "background"):
        assert field in answer.json()["detail"]
    with pytest.raises(RequestInvalid, match="colour_of_hat"):
        site.client.trigger("refused-at-once", conf)
    with pytest.raises(InputError, match="knows no run"):
        site.client.run("refused-at-once")
    with pytest.raises(RequestInvalid, match=r"output\.fps"):
        site.submit({"script": "Hello.", "avatar": {"uri": "s3://inputs/a.png"}, "output.fps": 1000})


def test_another_machine_submits_watches_and_fetches_with_an_address_and_a_token(
    site: Site, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = tmp_path / "request.json"
    wish.write_text(json.dumps(request(idempotency_key="first", labels={"campaign": "first"})))
    out = tmp_path / "video.mp4"
    login = {"username": "admin", "password": site.password("admin")}
    token = httpx.post(f"{site.address}/auth/token", json=login).json()["access_token"]
    with monkeypatch.context() as laptop:
        laptop.setenv("AVATARLAB_HOME", str(tmp_path / "nothing here"))
        laptop.setenv("AVATARLAB_AIRFLOW_URL", site.address)
        laptop.setenv("AVATARLAB_AIRFLOW_TOKEN", token)
        done = avatarlab("submit", str(wish), "--wait", "--out", str(out))
        assert done.returncode == 0, done.stderr
        assert not (tmp_path / "nothing here").exists()
    assert done.stdout.splitlines()[0] == first
    assert out.read_bytes()[4:8] == b"ftyp"
    assert json.loads(out.with_suffix(".json").read_text())
    assert "-->" in out.with_suffix(".srt").read_text()
    assert out.with_suffix(".jpg").read_bytes()[:2] == b"\xff\xd8"


def test_command_line_tells_how_a_run_stands(site: Site, first: str) -> None:
    told = json.loads(avatarlab("status", first, "--format", "json").stdout)
    assert told["state"] == "published"


def test_command_line_says_why_without_a_traceback(site: Site, tmp_path: Path) -> None:
    wish = tmp_path / "request.json"
    wish.write_text(json.dumps(request(avatar={"uri": "s3://inputs/e2e/missing.png"})))
    done = avatarlab("submit", str(wish))
    assert done.returncode == 2
    assert "missing.png" in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_nothing_to_do(site: Site) -> None:
    done = avatarlab("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "", "nothing else speaks, no library either"
