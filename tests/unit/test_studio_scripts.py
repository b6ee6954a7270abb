"""What the Studio's scripts do in a browser, without a server; tests/integration tries them with one."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from avatarlab_web.studio import page
from avatarlab_web.studio.page import text

from avatarlab_ops.request import KINDS, AvatarRequest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request, Route

    Answer = Callable[[Route], None]

PLAIN = "http://studio.lan"  # no secure context, as an address of one's own network is none
STATIC = page.HERE / "static"
KINDS_OF = {".js": "text/javascript", ".css": "text/css"}
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@dataclass
class Site:
    """Answers what a tab asks for, by its path, and keeps what it asked."""

    tab: Page
    here: str = PLAIN
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def open(self, html: str) -> None:
        self.answers["/"] = lambda route: route.fulfill(body=html, content_type="text/html")
        self.tab.goto(f"{self.here}/")

    def parts(self, content: str) -> None:
        """A page with this content and what every page has."""
        shown = page.made("base.html", base="", api="/api", airflow="", embedded=True, here="")
        self.open(shown.replace('tabindex="-1">', f'tabindex="-1">{content}', 1))

    def serve(self, route: Route) -> None:
        path = "/" + route.request.url.removeprefix(f"{self.here}/").partition("?")[0]
        self.asked.append(route.request)
        static = STATIC / Path(path).name
        if path in self.answers:
            self.answers[path](route)
        elif path.startswith("/static/") and static.exists():
            route.fulfill(body=static.read_text(), content_type=KINDS_OF.get(static.suffix, "image/svg+xml"))
        else:
            route.fulfill(status=404)

    def of(self, path: str) -> list[Request]:
        return [one for one in self.asked if one.url.removeprefix(self.here).partition("?")[0] == path]

    def until(self, met: Callable[[], bool]) -> None:
        for _ in range(3000):
            if met():
                return
            self.tab.wait_for_timeout(20)
        raise AssertionError([one.url for one in self.asked])


@pytest.fixture
def site(chromium: Browser) -> Iterator[Site]:
    with chromium.new_context() as context:
        context.set_default_timeout(60_000)
        tab = context.new_page()
        tab.clock.install()
        found = Site(tab)
        tab.route("**/*", found.serve)
        yield found
        tab.unroute_all(behavior="ignoreErrors")


def said(body: Any, **answer: Any) -> Answer:
    return lambda route: route.fulfill(json=body, **answer)


def test_an_order_has_a_key_of_its_own_without_a_secure_context_and_nothing_else_has(site: Site) -> None:
    for path in ("/order", "/end"):
        site.answers[path] = said({})
    site.parts("".join(
        f'<button data-call="{method}" data-to="{path}" data-done="Done {path}">{path}</button>'
        for method, path in (("POST", "/order"), ("DELETE", "/end"))
    ))  # fmt: skip
    for path in ("/order", "/end"):
        site.tab.get_by_role("button", name=path).click()
        site.tab.get_by_role("button", name=f"Done {path}").wait_for()
    (order,), (end,) = site.of("/order"), site.of("/end")
    assert re.fullmatch(r"[\w-]{8,200}", order.headers["idempotency-key"])
    assert "idempotency-key" not in end.headers


def test_a_revocation_that_left_videos_on_view_says_how_many(site: Site) -> None:
    site.answers["/revoke"] = said({"videos": ["a", "b"], "withdrawn": ["c"]})
    site.parts(
        '<form><input type="checkbox" name="withdraw" value="true" checked>'
        '<button data-call="POST" data-to="/revoke">Revoke</button></form>'
    )
    site.tab.get_by_role("button", name="Revoke").click()
    site.tab.get_by_text(text("people.revoke.left", count=2)).wait_for()
    assert site.tab.get_by_role("button", name="Revoke").is_enabled()
    site.tab.get_by_role("checkbox").uncheck()  # who leaves them on view is told nothing
    with site.tab.expect_navigation():
        site.tab.get_by_role("button", name="Revoke").click()


def test_a_hidden_page_holds_no_stream_and_looks_once_it_is_seen_again(site: Site) -> None:
    held: list[Route] = []
    site.answers["/events"] = held.append
    site.answers["/live"] = lambda route: route.fulfill(body='<p data-news="Seen.">Seen.</p>')
    site.parts('<div data-live="/live" data-events="/events"></div>')
    site.until(lambda: len(held) == 1)
    with site.tab.expect_event("requestfailed", lambda asked: asked.url.endswith("/events")):
        site.tab.evaluate(HIDE, True)
    site.tab.clock.fast_forward(60_000)
    assert not site.of("/live")
    site.tab.evaluate(HIDE, False)
    site.tab.locator("#content").get_by_text("Seen.").wait_for()
    site.until(lambda: len(held) == 2)


def test_a_page_asks_once_more_for_however_many_events(site: Site) -> None:
    held: list[Route] = []
    site.answers["/events"] = lambda route: route.fulfill(
        body="retry: 3600000\n\n" + "event: render\ndata: {}\n\n" * 6, content_type="text/event-stream"
    )
    site.answers["/live"] = held.append
    site.parts('<div data-live="/live" data-events="/events"></div>')
    site.until(lambda: len(held) == 1)
    site.until(lambda: len(site.of("/events")) == 1)
    for number in range(2):
        site.until(lambda: len(held) > number)  # noqa: B023
        held[number].fulfill(body=f"<p data-news='{number}'>Drawn {number}.</p>")
        site.tab.get_by_text(f"Drawn {number}.").wait_for()
    site.tab.wait_for_timeout(300)
    assert len(held) == 2


def test_a_list_waits_for_its_answer_and_ends_when_nothing_moves(site: Site) -> None:
    moving, still = ('<ul class="cards" data-refresh="3000">Moves.</ul>', '<ul class="cards">Stands.</ul>')
    held: list[Route] = []
    site.parts(moving)
    site.answers["/"] = held.append
    for _ in range(3):
        site.tab.clock.fast_forward(3_000)
    site.until(lambda: bool(held))
    site.tab.wait_for_timeout(300)
    assert len(held) == 1
    held[0].fulfill(body=still)
    site.tab.get_by_text("Stands.").wait_for()
    site.tab.clock.fast_forward(9_000)
    site.tab.wait_for_timeout(300)
    assert len(held) == 1


def test_a_player_whose_address_has_expired_goes_on_at_its_place(site: Site) -> None:
    site.parts('<video src="/film" preload="none"></video>')
    fail = """() => {
        $("video").dispatchEvent(new Event("error"));
        return [loads, plays, $("video").currentTime];
    }"""
    site.tab.evaluate("""() => {
        window.loads = window.plays = 0;
        const load = () => { loads += 1; video.currentTime = 0; };
        const play = async () => { plays += 1; };
        const video = Object.assign($("video"), { load, play });
        for (const [name, value] of [["currentTime", 7], ["paused", false]])
            Object.defineProperty(video, name, { value, writable: true });
    }""")
    assert site.tab.evaluate(fail) == [1, 1, 7]
    assert site.tab.evaluate(fail) == [1, 1, 7], "what fails again at once is gone"
    site.tab.clock.fast_forward(900_000)
    assert site.tab.evaluate(fail) == [2, 2, 7]


def impact(site: Site, **more: Any) -> None:
    values = {
        "base": "", "api": "/api", "airflow": "", "embedded": True, "here": "impact", "kinds": ["engine"],
        "kind": "engine", "value": "x", "cards": [], "more": None, "wrong": "", "touched": 0, "mine": 0,
        "bulk_author": True,
    }  # fmt: skip
    site.open(page.made("impact.html", **values | more))


def test_escape_ends_a_withdrawal_of_many(site: Site) -> None:
    site.answers["/impact/renders"] = said(["a", "b", "c"])
    held: list[Route] = []
    for one in "abc":
        site.answers[f"/api/renders/{one}/output"] = held.append
    impact(site, mine=3)
    site.tab.get_by_role("button", name=text("impact.back")).click()
    site.tab.get_by_label(text("video.withdraw.why")).fill("Wrong.")
    site.tab.get_by_role("dialog").get_by_role("button", name=text("impact.back")).click()
    site.until(lambda: len(held) == 1)
    site.tab.keyboard.press("Escape")
    site.tab.get_by_role("dialog").wait_for(state="hidden")
    with site.tab.expect_navigation():  # it is drawn anew without what was withdrawn
        held[0].fulfill(status=204)
    assert len(held) == 1


def test_a_second_try_of_many_goes_on_with_those_that_did_not_begin(site: Site) -> None:
    first, second = ([f"v{n}" for n in range(start, start + 500)] for start in (0, 500))
    lists = [first + second, second + first]  # another order, as of a catalog in which videos come and go
    site.answers["/impact/renders"] = lambda route: route.fulfill(json=lists.pop(0))
    answers = [(201, {"id": "one"}), (503, {"detail": "Away."}), (201, {"id": "two"})]

    def begin(route: Route) -> None:
        status, told = answers.pop(0)
        route.fulfill(status=status, json=told)

    site.answers["/api/bulk-runs"] = begin
    site.answers["/bulk/"] = lambda route: route.fulfill(body="All runs.", content_type="text/html")
    impact(site, touched=1000)
    for told in ("Away.", "All runs."):
        site.tab.get_by_role("button", name=text("impact.anew")).click()
        site.tab.get_by_role("dialog").get_by_role("button", name=text("impact.anew")).click()
        site.tab.get_by_text(told).wait_for()
    runs = site.of("/api/bulk-runs")
    assert [json.loads(run.post_data or "")["renders"] for run in runs] == [first, second, second]
    assert runs[1].headers["idempotency-key"] == runs[2].headers["idempotency-key"]


def make(site: Site, earlier: dict[str, Any] | None = None) -> None:
    """The page on which a video is composed, with one face and one voice."""
    canonical = AvatarRequest.parse({"script": "-", "avatar": {"uri": "s3://inputs/a.png"}}).canonical()
    face = {"uri": "s3://inputs/a.png", "kind": "image", "sha256": "0", "subject": "Anna", "duration_s": None}
    voice = {"engine": "hibari", "name": "heart", "languages": ["en"], "accent": "", "heard": False}
    asked = canonical | earlier if earlier else None
    site.answers["/api/estimates"] = said(
        {"predicted_s": 60, "predicted_gpu_s": 0, "cached": [], "warnings": ["Noted."], "script": []}
    )
    site.answers.setdefault("/api/previews", lambda route: route.fulfill(body="", content_type="image/png"))
    site.open(page.made(
        "make.html", base="", api="/api", airflow="", embedded=True, here="make", me="anna",
        most_bytes=10**9, labels="", avatars=[SimpleNamespace(**face)], voices=[SimpleNamespace(**voice)],
        languages=["en"], earlier=asked, chosen=asked or canonical, like="", script="",
        earlier_json=json.dumps(asked) if asked else "", most=60_000, stages="{}", colours={},
        backgrounds=[SimpleNamespace(name=kind, label=kind, behind=KINDS[kind])
                     for kind in ("original", "blur", "transparent")],
    ))  # fmt: skip
    site.tab.locator("#make:not([inert])").wait_for()


def test_one_frame_at_a_time_is_asked_for_and_only_the_newest_after_it(site: Site) -> None:
    held: list[Route] = []
    site.answers["/api/previews"] = held.append
    make(site)
    site.until(lambda: len(held) == 1)
    for kind in ("blur", "transparent"):
        site.tab.locator(f"[name=background][value={kind}]").check()
        site.tab.clock.run_for(1_000)
    site.tab.wait_for_timeout(300)
    assert len(held) == 1
    held[0].fulfill(body="", content_type="image/png")
    site.until(lambda: len(held) == 2)
    assert json.loads(held[1].request.post_data or "")["background"]["kind"] == "transparent"
    held[1].fulfill(body="", content_type="image/png")
    site.tab.locator("[data-canvas] img").wait_for(state="attached")
    assert len(held) == 2


def test_a_frame_for_which_there_is_no_place_is_asked_for_again(site: Site) -> None:
    busy = {"status": 503, "json": {"detail": "No place."}, "headers": {"Retry-After": "5"}}
    picture = {"body": "", "content_type": "image/png"}
    answers: list[dict[str, Any]] = [busy, {**busy, "status": 429}, picture]
    site.answers["/api/previews"] = lambda route: route.fulfill(**answers.pop(0))
    make(site)
    for asked in (1, 2):
        site.until(lambda: len(site.of("/api/previews")) == asked)  # noqa: B023
        site.tab.wait_for_timeout(200)
        site.tab.clock.fast_forward(5_000)
    site.tab.locator("[data-canvas] img").wait_for(state="attached")
    assert not site.tab.get_by_text("No place.").is_visible()


def test_how_long_a_script_is_said_is_told_in_whole_minutes_and_of_scripts_without_spaces(site: Site) -> None:
    make(site)
    script = site.tab.get_by_label(text("make.script"))
    for written, told in (
        ("word " * 371, "2:00 min"), ("word " * 100, "33 s"),
        ("今日はとても天気がいいですね。" * 10, "31 s"), ("我们今天去公园。GPU", "2 s"),
    ):  # fmt: skip
        script.fill(written)
        assert f"about {told} of speech" in site.tab.locator("#script-count").inner_text()


def test_what_was_told_of_a_script_goes_with_it(site: Site) -> None:
    make(site)
    site.tab.get_by_label(text("make.script")).fill("Hello.")
    site.tab.get_by_text("Noted.").wait_for()
    site.tab.get_by_label(text("make.script")).fill("")
    site.tab.get_by_text(text("make.estimate.first")).wait_for()
    assert site.tab.locator("#notes li").count() == 0
    assert (
        site.tab.locator("#reading").inner_text() == "" or site.tab.locator("#reading li.hint").count() == 1
    )


def test_a_recording_alone_is_estimated(site: Site) -> None:
    make(site, {"script": None, "narration": {"uri": "s3://inputs/a.wav"}})
    site.tab.get_by_text("About 1:00 min of work").wait_for()


@pytest.fixture
def slow() -> Iterator[tuple[str, threading.Event]]:
    """(address, event) of a server that reads half of what is sent to it, and the rest after the event."""
    go_on = threading.Event()

    class Reads(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self.rfile.read(length // 2)
            go_on.wait(60)
            self.rfile.read(length - length // 2)
            self.send_response(422)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Reads) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", go_on
        go_on.set()
        server.shutdown()


def test_how_much_of_a_file_has_gone_up_is_shown(
    site: Site, slow: tuple[str, threading.Event], tmp_path: Path
) -> None:
    site.here, go_on = slow
    site.answers["/avatars"] = lambda route: route.continue_()
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(bytes(40_000_000))
    make(site)
    site.tab.get_by_role("button", name=text("make.avatar.add")).click()
    site.tab.get_by_label(text("upload.file"), exact=True).set_input_files(clip)
    site.tab.get_by_label(text("upload.subject")).fill("Ben B.")
    site.tab.get_by_role("button", name=text("upload.send"), exact=True).click()
    bar = site.tab.get_by_label(text("upload.sent"))
    bar.wait_for()
    assert 0 < bar.evaluate("bar => bar.value / bar.max") < 1
    go_on.set()
    bar.wait_for(state="hidden")
    site.tab.get_by_text(text("answered", status=422)).wait_for()


def test_a_bulk_run_is_read_out_when_its_state_changes_and_not_at_each_item() -> None:
    values: dict[str, Any] = {
        "said": "About 3:04 min of GPU work left", "over": False, "refused": False, "all": 4, "done": 1,
        "items": [], "counts": {}, "problems": 0, "noted": 0, "late": False, "deadline": None, "base": "",
        "expected_end": None, "more": 0, "reason": "",
    }  # fmt: skip
    planning, over = (values | {"all": 0, "said": "Checking"}), (values | {"over": True, "said": "Over"})
    refused = planning | {"over": True, "refused": True}
    news = [
        re.findall(r'data-news="(.*?)"', page.made("_bulk_run.html", **one))
        for one in (values, planning, over, refused)
    ]
    assert news == [[""], ["Checking"], ["Over"], [text("bulk.refused")]]
