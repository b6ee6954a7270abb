"""README's commands, taken from the page itself and run by a shell as a reader pastes them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import playwright
import pytest
import sqlalchemy as sa
from kit.running_site import AVATAR, ROOT, Site

from avatarlab_ops.embedded import servers
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction

README = (ROOT / "README.md").read_text()
API_PAGE = (ROOT / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
TEMPLATE = {
    "script": "Hi {{name}}.",
    "avatar": {"uri": AVATAR},
    "output": {"resolution": "360p", "aspect": "1:1"},
}
ORDER = "order-1042"  # the key under which README's REST call orders


def block(beginning: str) -> str:
    """The one code block of README that begins so."""
    (found,) = [text for text in BLOCKS if text.startswith(beginning)]
    return str(found)


class Shell:
    """A reader's shell, in a folder with the files that README speaks of."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.env = {**os.environ, "PATH": path}
        (folder / ".avatarlab").symlink_to(site.home)
        shutil.copy(ROOT / "demo" / "astronaut.png", folder / "portrait.png")
        (folder / "release.pdf").write_bytes(b"%PDF-1.7 I agree.")
        (folder / "REQUEST.json").write_text(block("{"))
        (folder / "people.csv").write_text("key,name\nann,Ann\nbob,Bob\n")
        (folder / "welcome.json").write_text(json.dumps(TEMPLATE))

    def run(self, text: str) -> str:
        """What the commands print; the test fails with what they said when one of them fails."""
        command = ["bash", "-euo", "pipefail", "-c", text]
        done = subprocess.run(
            command, cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=540
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def shell(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """On a site that has run the demo, as README's reader has."""
    shell = Shell(site, tmp_path_factory.mktemp("reader"))
    told = shell.run("avatarlab demo --out out")
    assert (shell.folder / "out" / "demo.mp4").read_bytes()[4:8] == b"ftyp"
    assert f"Airflow   {site.address}" in told
    return shell


@pytest.fixture(scope="module")
def order(shell: Shell, site: Site) -> str:
    """The run that README's REST call begins."""
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    shell.run(block("field()"))
    assert (shell.folder / "hello.mp4").read_bytes()[4:8] == b"ftyp"
    (run_id,) = runs_of(site, ORDER)
    assert site.finish(run_id) == "success", site.client.tasks(run_id)
    return run_id


def runs_of(site: Site, key: str) -> list[str]:
    """Runs of the renders that were ordered under this key."""
    with transaction(site.settings.pg_dsn) as db:
        asked = sa.select(m.Render.run_id).join(m.Request, m.Request.id == m.Render.request_id)
        return [str(run) for run in db.scalars(asked.where(m.Request.idempotency_key == key))]


def test_make_targets_named_in_readme_exist() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= {name for name in re.findall(r"\bmake ([a-z-]+)", README) if name in targets}
    assert not set(re.findall(r"`make ([a-z-]+)", README)) - set(targets)


def test_a_likeness_is_uploaded_with_its_consent(shell: Shell) -> None:
    assert shell.run(block("avatarlab upload")).startswith("s3://inputs/")


def test_the_request_of_the_page_is_rendered_without_airflow(shell: Shell) -> None:
    assert "`avatarlab render REQUEST.json --out video.mp4`" in README
    shell.run("avatarlab render REQUEST.json --out video.mp4")
    assert json.loads((shell.folder / "video.json").read_text())
    assert "-->" in (shell.folder / "video.srt").read_text()
    assert (shell.folder / "video.vtt").read_text().startswith("WEBVTT")
    assert (shell.folder / "video.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (shell.folder / "video.mp4").read_bytes()[4:8] == b"ftyp"


def test_three_rest_calls_lead_to_a_video_and_the_same_key_again_starts_nothing(
    shell: Shell, site: Site, order: str
) -> None:
    before = site.client.run(order)
    shell.run(block("field()"))
    assert runs_of(site, ORDER) == [order]
    assert site.client.run(order) == before


def test_the_python_example_of_the_api_page_fetches_a_video(shell: Shell, site: Site) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```", API_PAGE, re.DOTALL | re.MULTILINE)
    (shell.folder / "example.py").write_text(example)
    password = json.loads((site.home / "airflow" / "passwords.json").read_text())["admin"]
    login = {"AIRFLOW": site.address, "AIRFLOW_USER": "admin", "AIRFLOW_PASSWORD": password}
    shell.env |= login
    (shell.folder / "hello.mp4").unlink(missing_ok=True)
    shell.run(f"{sys.executable} example.py")
    assert (shell.folder / "hello.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_javascript_example_of_the_api_page_fetches_a_video(shell: Shell, site: Site) -> None:
    (example,) = re.findall(r"^```js\n(.*?)^```", API_PAGE, re.DOTALL | re.MULTILINE)
    (shell.folder / "example.mjs").write_text(example)
    token = site.client._http.headers["Authorization"].removeprefix("Bearer ")
    shell.env |= {"AIRFLOW": site.address, "TOKEN": token}
    (shell.folder / "hello.mp4").unlink(missing_ok=True)
    node = Path(playwright.__file__).parent / "driver" / "node"  # the browser's driver runs on it
    shell.run(f"{node} example.mjs")
    assert (shell.folder / "hello.mp4").read_bytes()[4:8] == b"ftyp"


def test_bulk_line_by_line(shell: Shell, site: Site) -> None:
    bulk_id = ""
    for line in block("avatarlab regenerate").splitlines():
        if "bulk report" in line or "bulk cancel" in line:
            assert site.finish(bulk_id, BULK_DAG) == "success"
        told = shell.run(re.sub(r"\bRUN\b", bulk_id, line))
        if line.startswith("avatarlab regenerate people.csv"):
            bulk_id = told.strip() or bulk_id
        if "bulk list" in line:
            assert bulk_id in told
        if "bulk cancel" in line:
            assert told == "2 published\n"
    table = list(csv.DictReader((shell.folder / "report.csv").read_text().splitlines()))
    assert [(item["key"], item["row.name"]) for item in table] == [("ann", "Ann"), ("bob", "Bob")]
    token = site.client._http.headers["Authorization"]
    assert {httpx.get(item["link"], headers={"Authorization": token}).status_code for item in table} == {307}


@pytest.mark.parametrize(
    "command",
    [
        "watch RUN", "status RUN", "lineage VIDEO", "cache", "housekeeping", "consent list",
        "feedback summary", "outbox list", "submit REQUEST.json",
    ],
)  # fmt: skip
def test_commands_of_the_table(shell: Shell, order: str, command: str) -> None:
    assert f"`avatarlab {command.split(maxsplit=1)[0]}" in README
    shell.run("avatarlab " + re.sub(r"\b(RUN|VIDEO)\b", order, command))


def test_status_leads_to_the_video_by_a_link_that_opens_it(shell: Shell, order: str) -> None:
    told = dict(line.split(maxsplit=1) for line in shell.run(f"avatarlab status {order}").splitlines())
    assert told["published"].endswith(f"of run {order}")
    assert httpx.get(told["link"].split()[0]).content[4:8] == b"ftyp"


def test_down_stops_what_runs_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path / ".avatarlab"))
    servers.ensure(tmp_path / ".avatarlab")
    command = [sys.executable, "-m", "avatarlab_ops.cli", "down"]
    told = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert (told[0].startswith("stopped"), told[1]) == (True, "nothing was running\n")
