"""The running site itself: pages, parts, files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from kit import anonymous
from kit.eventually import eventually
from kit.running_site import Site

from avatarlab_ops.embedded import control
from avatarlab_ops.embedded.supervisor import read_state
from avatarlab_ops.errors import InputError

# What Airflow's parts serve: data, tasks' own API, logs of workers and triggerer, our pages.
AIRFLOW_PATHS = (
    "/api/v2/dags", "/api/v2/dags/avatar_render/dagRuns", "/api/v2/connections", "/api/v2/pools",
    "/api/v2/config", "/ui/dags", "/ui/structure/structure_data?dag_id=avatar_render",
    "/execution/connections/avatarlab_s3", "/execution/variables/avatarlab_regenerate",
    "/log/dag_id=avatar_render", "/metrics", "/avatarlab/renders/x/video", "/avatarlab/api/v1/renders",
    "/avatarlab/openapi.json",
)  # fmt: skip
STORES = ("mongod", "postgres", "weed")  # tests/integration/test_embedded.py tries theirs
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def test_nobody_gets_in_without_the_password(site: Site) -> None:
    assert httpx.get(f"{site.address}/api/v2/dags").status_code == 401
    wrong = {"username": "admin", "password": "admin"}
    assert httpx.post(f"{site.address}/auth/token", json=wrong).status_code == 401


def test_no_port_of_airflow_tells_a_stranger_anything(site: Site) -> None:
    listening = anonymous.ports(read_state(site.home)["pid"])
    assert {port.host for port in listening} == {"127.0.0.1"}
    assert any(site.address.endswith(f":{port.number}") for port in listening)
    got = {}
    for port in listening:
        if port.program.startswith(STORES):
            continue
        for path in AIRFLOW_PATHS:
            answer = httpx.get(f"http://127.0.0.1:{port.number}{path}", timeout=30)
            if answer.is_success and "text/html" not in answer.headers["content-type"]:
                got[port.program, path] = answer.text[:100]
    assert got == {}


def test_files_with_secrets_are_the_owners_alone(site: Site) -> None:
    for name in ("passwords.json", "keys.json", "airflow.cfg"):
        assert (site.home / "airflow" / name).stat().st_mode & 0o077 == 0, name
    secrets = json.loads((site.home / "airflow" / "keys.json").read_text()).values()
    config = (site.home / "airflow" / "airflow.cfg").read_text()
    logs = [path for path in (site.home / "logs").glob("*.log") if path.stat().st_size < 50_000_000]
    passwords = json.loads((site.home / "airflow" / "passwords.json").read_text())
    assert set(passwords) == {"admin", "anna", "vera"}
    for secret in [*secrets, *passwords.values(), site.settings.s3_secret_key]:
        assert secret not in config
        assert not [path for path in logs if secret in path.read_text(errors="replace")]


def test_up_again_finds_it_running(site: Site) -> None:
    pid = read_state(site.home)["pid"]
    assert control.up(site.home, lambda _: None).pid == pid


def test_a_killed_part_is_started_again_and_leaves_no_orphans(site: Site) -> None:
    before = read_state(site.home)
    killed = before["sessions"]["triggerer"]
    os.kill(killed, signal.SIGKILL)

    def restarted() -> dict[str, Any] | None:
        state = read_state(site.home)
        return state if state["restarts"].get("triggerer") and state["phase"] == "healthy" else None

    state = eventually(restarted)
    assert state["sessions"]["triggerer"] != killed
    assert state["sessions"]["scheduler"] == before["sessions"]["scheduler"]


def test_a_port_in_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("AVATARLAB_PORT", str(port))
        with pytest.raises(InputError, match=f"port {port} is in use by .*{os.getpid()}"):
            control.choose_site(tmp_path)


def test_the_form_opens_in_a_browser_with_every_section(site: Site) -> None:
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("no Chromium here; `make test` installs it where it may")
    from playwright.sync_api import sync_playwright

    password = json.loads((site.home / "airflow" / "passwords.json").read_text())["admin"]
    with sync_playwright() as play, play.chromium.launch(executable_path=browser, args=FLAGS) as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 1600})
        page.set_default_timeout(120_000)  # a busy machine; a click waits for the page to be drawn
        page.goto(f"{site.address}/auth/login/?next={site.address}/dags/avatar_render")
        page.get_by_label("Username").fill("admin")
        page.locator("input[type=password]").fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Trigger").first.click()
        form = page.get_by_role("dialog")
        form.get_by_text("Script", exact=False).first.wait_for()
        for section in ("Background", "Video", "Engines", "Motion", "Bookkeeping"):
            assert form.get_by_text(section, exact=True).count(), section
        if folder := os.environ.get("AVATARLAB_SCREENSHOTS"):
            page.screenshot(path=f"{folder}/form.png")
