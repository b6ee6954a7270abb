"""Upgrade and rollback with a render in flight: what one code accepted the other publishes, once."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit.eventually import eventually
from kit.running_site import ROOT, Site, avatarlab, request, running, surrounded_by
from test_kill import SCRIPT, check_artifacts, ended, wait

from avatarlab_ops.cli.client import API, AirflowClient
from avatarlab_ops.errors import AvatarlabError
from avatarlab_ops.fields import split_reference
from avatarlab_ops.lineage.query import trace
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects

MIGRATIONS = "avatarlab_ops/stores/catalog/migrations"
AWAY = (AvatarlabError, httpx.HTTPError)
BACK = 5  # migrations that lie between the earlier code and this


@pytest.fixture(scope="module", autouse=True)
def _here() -> None:
    """The upgrade has a site of its own."""


def git(*words: str, cwd: Path = ROOT) -> str:
    return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def migrations(commit: str) -> int:
    """How many a commit has; one that only renumbers them, after two branches met, has no more."""
    return len(git("ls-tree", "--name-only", f"{commit}:{MIGRATIONS}/versions").split())


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A checkout of the earlier code: UPGRADE_FROM, else from before the last five migrations came."""
    changes = git("log", "--format=%H", "--", MIGRATIONS).split()
    later = list(takewhile(lambda commit: migrations(commit) > migrations("HEAD") - BACK, changes))
    given = os.environ.get("UPGRADE_FROM") or (f"{later[-1]}^" if len(later) < len(changes) else "")
    if not given or subprocess.run(["git", "cat-file", "-e", given], cwd=ROOT, check=False).returncode:
        pytest.skip("this checkout holds no earlier code: it is shallow; name a commit in UPGRADE_FROM")
    place = tmp_path / "earlier"
    git("clone", "--quiet", "--shared", "--no-checkout", str(ROOT), str(place))
    git("checkout", "--quiet", git("rev-parse", given), cwd=place)
    return place


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_what_was_in_flight_is_published_by_the_new_code_and_by_the_earlier_one_again(
    earlier: Path, tmp_path: Path
) -> None:
    home = tmp_path / ".avatarlab"
    variables = {"AVATARLAB_HOME": str(home), "AVATARLAB_PORT": "0"}
    with surrounded_by(variables):
        by_earlier(earlier, "up")
        try:
            first, flying = ordered(home)
        finally:
            by_earlier(earlier, "down")
    with running(home) as site, surrounded_by(site.environment):
        final = wait(lambda: ended(site, flying["id"]))
        assert final.state == "published", final.error
        check_files(site, flying["id"])
        check_artifacts(site)
        for told in (first, flying):  # their keys still name them
            assert site.client.order(wish(told["key"]))["id"] == told["id"]
        check_files(site, first["id"])
        assert trace(site.settings, first["id"])["artifacts"]
        verified = avatarlab("verify", str(downloaded(site, first["id"], tmp_path)))
        assert verified.returncode == 0, verified.stdout + verified.stderr
        after = site.submit(request(script="After the upgrade.", idempotency_key="after"))
        assert site.finish(after) == "success"
        back = flown(site.client, "on-the-way-back")
    with surrounded_by(variables):
        refused = avatarlab("tables", "--back-to", "9999")
        assert refused.returncode == 2, refused.stdout + refused.stderr
        taken = avatarlab("tables", "--back-to", head_of(earlier))
        assert taken.returncode == 0, taken.stdout + taken.stderr
        assert f"tables {head_of(earlier)};" in taken.stdout
        by_earlier(earlier, "up")
        try:
            check_earlier(home, (first, flying), back)
        finally:
            by_earlier(earlier, "down")


def head_of(checkout: Path) -> str:
    """Version of the tables that a checkout's code makes."""
    text = (checkout / "avatarlab_ops/stores/catalog/__init__.py").read_text()
    return str(re.findall(r'^HEAD = "(\d+)"', text, re.MULTILINE)[0])


def check_earlier(home: Path, before: Iterable[dict[str, Any]], back: dict[str, Any]) -> None:
    """The earlier code publishes what the newer one began, knows what was there, and takes new work."""
    with AirflowClient.from_home(home) as client:
        eventually(lambda: client.render(back["id"])["state"] == "published", *AWAY, end_s=420)
        for told in (*before, back):
            assert posted(client, told["key"])["id"] == told["id"]
        last = posted(client, "after-the-way-back")
        eventually(lambda: client.render(last["id"])["state"] == "published", *AWAY, end_s=420)
    with surrounded_by({"AVATARLAB_HOME": str(home)}):
        settings = Settings.from_env()
    for one in (*before, back, last):
        folder = f"renders/{one['id']}"
        found = set(objects(settings).keys("outputs", folder))
        assert {f"{folder}/video.mp4", f"{folder}/manifest.json"} <= found


def by_earlier(checkout: Path, *words: str) -> None:
    """The command line of the earlier code, with this environment's packages."""
    code = {"PYTHONPATH": str(checkout), "AVATARLAB_ROOT": str(checkout)}
    command = [sys.executable, "-m", "avatarlab_ops.cli", *words]
    done = subprocess.run(
        command, env=os.environ | code, cwd=checkout, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr


def wish(key: str) -> dict[str, Any]:
    return request(script=SCRIPT.format(key), idempotency_key=key)


def ordered(home: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """A render that is published, and one in mid-stage."""
    objects(Settings.from_env()).put_if_absent("inputs", "e2e/astronaut.png", ROOT / "demo" / "astronaut.png")
    with AirflowClient.from_home(home) as client:
        first = posted(client, "before")
        eventually(lambda: client.render(first["id"])["state"] == "published", *AWAY, end_s=420)
        return first, flown(client, "in-flight")


def flown(client: AirflowClient, key: str) -> dict[str, Any]:
    """A render in mid-stage."""
    flying = posted(client, key)
    eventually(lambda: client.tasks(flying["run_id"])["lipsync"] == "running", *AWAY, end_s=120)
    return flying


def posted(client: AirflowClient, key: str) -> dict[str, Any]:
    """An order as any caller sends it: this code's own client names fields that the earlier one lacks."""
    answer = client._call("POST", f"{API}/renders", json=wish(key), headers={"Idempotency-Key": key})
    return {**answer.json(), "key": key}


def check_files(site: Site, render_id: str) -> None:
    """The catalog's files of a published video are those that lie in the store."""
    files = trace(site.settings, render_id)["files"]
    assert {"video.mp4", "manifest.json"} <= files.keys()
    for file in files.values():
        content = objects(site.settings).read(*split_reference(file["uri"]))
        assert hashlib.sha256(content).hexdigest() == file["sha256"]


def downloaded(site: Site, render_id: str, folder: Path) -> Path:
    published = status.published(site.settings, render_id)
    assert published
    path = folder / "first.mp4"
    path.write_bytes(objects(site.settings).read(*split_reference(published.video_uri)))
    return path
