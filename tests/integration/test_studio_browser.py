"""What the Studio's pages do in a browser, over real stores; Airflow itself is tried with it in tests/e2e."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from avatarlab_web.api import previews
from avatarlab_web.app import app
from avatarlab_web.studio import queue as studio_queue
from avatarlab_web.studio.access import page_user
from avatarlab_web.studio.page import text
from starlette.testclient import TestClient

from avatarlab_ops import pipeline
from avatarlab_ops.renders import avatars, intake, orders
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings

from .api_server import serving
from .material import astronaut, png
from .studio_client import opened

if TYPE_CHECKING:
    from httpx import Response
    from playwright.sync_api import Browser, Page, Request, Route

HERE = "http://localhost"  # nothing listens there: what a page asks for is answered by the test's own server
HEARD = """async () => {
  for (let n = 0; heard.currentTime < 0.1 && n < 1800; n++) await new Promise(requestAnimationFrame);
  return heard.currentTime;
}"""
LOGIN_OVER: dict[str, Any] = {"status": 401, "json": {"detail": "Token Expired"}}
QUIET: dict[str, Any] = {"body": "retry: 3600000\n\n", "content_type": "text/event-stream"}


@pytest.fixture
def studio(stores: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr(studio_queue, "_pools", list)  # Airflow's database is not here
    monkeypatch.setattr(previews.desk, "warm", lambda: None)
    with serving(stores), opened(stores, {"reader", "author"}) as client:
        app.dependency_overrides[page_user] = lambda: None  # scripts are for whoever is logged in
        yield client


@pytest.fixture
def page(chromium: Browser, studio: TestClient) -> Iterator[Page]:
    """A tab in which a test may let time go by."""

    def serve(route: Route) -> None:
        answer = answer_to(studio, route.request)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.content)

    with chromium.new_context() as context:
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.clock.install()
        page.route(f"{HERE}/**", serve)
        page.route("**/events", lambda route: route.fulfill(**QUIET))
        picture: dict[str, Any] = {"body": png(astronaut()), "content_type": "image/png"}
        page.route("**/previews?kind=*", lambda route: route.fulfill(**picture))
        yield page
        page.unroute_all(behavior="ignoreErrors")  # of a page that asks again and again


def answer_to(studio: TestClient, asked: Request) -> Response:
    sent = ("content-type", "idempotency-key")
    headers = {name: value for name, value in asked.headers.items() if name in sent}
    path, body = asked.url.removeprefix(HERE), asked.post_data_buffer
    return studio.request(asked.method, path, headers=headers, content=body)


def bring(stores: Settings, folder: Path, subject: str) -> avatars.Avatar:
    """A new avatar, the first in the gallery."""
    picture = astronaut().copy()
    picture[:4] = list(uuid.uuid4().bytes[:3])  # bytes that nobody brought before
    file = folder / f"{subject[0]}.png"
    file.write_bytes(png(picture))
    leave = intake.Leave(subject, licence="CC0", recorded_by="anna")
    uri = intake.bring(stores, file, leave, caller="anna")
    return next(one for one in avatars.usable(stores, "anna") if one.uri == uri)


def order(stores: Settings, avatar: str, script: Any, **more: Any) -> str:
    """A render that stands in line."""
    asked = {"script": script, "avatar": {"uri": avatar}, "idempotency_key": uuid.uuid4().hex, **more}
    return orders.place(stores, AvatarRequest.parse(asked), caller="anna").render_id


def cancel(stores: Settings, *renders: str) -> None:
    for render_id in renders:
        pipeline.cancel(stores, render_id)


def once(page: Page, path: str, **answer: Any) -> None:
    """The next call there is answered so."""
    page.route(path, lambda route: route.fulfill(**answer), times=1)


def opened_make(page: Page, query: str = "") -> Page:
    page.goto(f"{HERE}/make{query}")
    page.locator("#make:not([inert])").wait_for()
    return page


def test_the_reason_of_a_refusal_stays_while_the_estimate_comes(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    bring(stores, tmp_path, "Anna A.")
    once(page, "**/api/v1/renders", status=422, json={"detail": "Not today."})
    opened_make(page)
    page.clock.pause_at(page.evaluate("Date.now()") + 60_000)
    page.get_by_label(text("make.script")).fill("Will it be made?")
    page.get_by_role("button", name=text("make.go")).click()
    page.get_by_text("Not today.").wait_for()
    with page.expect_response("**/estimates"):
        page.clock.run_for(1_000)
    page.get_by_text("Will it be made?", exact=True).last.wait_for(state="attached")  # as it will be read
    assert page.get_by_text("Not today.").is_visible()


def test_an_order_whose_answer_was_lost_is_made_once_though_the_login_ends_then(
    page: Page, studio: TestClient, stores: Settings, tmp_path: Path
) -> None:
    bring(stores, tmp_path, "Anna A.")
    opened_make(page).get_by_label(text("make.script")).fill("Nobody waits for this.")
    before = studio.get("/videos").text.count("<h2><a")
    once(page, "**/api/v1/renders", **LOGIN_OVER)
    page.route("**/api/v1/renders", lambda route: (answer_to(studio, route.request), route.abort()), times=1)
    for told in ("unreached", "login.over"):  # the route that was added last is taken first
        page.get_by_role("button", name=text("make.go")).click()
        page.get_by_text(text(told)).wait_for()
    page.get_by_role("button", name=text("make.go")).click()
    page.wait_for_url("**/videos/*")
    assert studio.get("/videos").text.count("<h2><a") == before + 1
    cancel(stores, page.url.rpartition("/")[2])


def test_who_ends_a_link_sends_nothing_else_and_keeps_the_new_one(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    page.goto(f"{HERE}/people/{bring(stores, tmp_path, 'Ben B.').consent_id}")
    for _ in range(2):  # the second page lists the link of the first
        page.reload()
        page.get_by_role("button", name=text("share.person")).click()
        page.get_by_role("button", name=text("share.make")).click()
        page.get_by_label(text("share.link"), exact=True).wait_for()
    made = page.get_by_label(text("share.link"), exact=True).input_value()
    page.get_by_label(text("share.days")).fill("")
    with page.expect_request("**/shares/*") as ended:
        page.get_by_role("button", name=text("share.end")).click()
    assert "?" not in ended.value.url, "a link in it would stand in every log"
    page.get_by_role("button", name=text("share.ended")).wait_for()
    assert page.get_by_label(text("share.link"), exact=True).input_value() == made
    page.reload()
    page.get_by_role("button", name=text("share.person")).click()
    assert page.get_by_role("button", name=text("share.end")).count() == 1


def test_a_choice_that_is_gone_is_not_taken_up_under_another_ones_face(
    page: Page, studio: TestClient, stores: Settings, tmp_path: Path
) -> None:
    for one in avatars.usable(stores, "anna"):
        studio.post(f"/api/v1/consents/{one.consent_id}/revoke?reason=over")
    stays, goes = (bring(stores, tmp_path, subject) for subject in ("Anna A.", "Ben B."))
    opened_make(page).get_by_label(text("make.script")).fill("Who says this?")
    assert page.evaluate("request().avatar.uri") == goes.uri
    assert studio.post(f"/api/v1/consents/{goes.consent_id}/revoke?reason=over").is_success
    opened_make(page)
    assert page.get_by_label(text("make.script")).input_value() == "Who says this?"
    assert page.evaluate("request().avatar.uri") == stays.uri


def test_what_was_written_is_there_however_one_comes_back_until_one_begins_anew(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    before = order(stores, bring(stores, tmp_path, "Anna A.").uri, "As it was.")
    script = opened_make(page, f"?like={before}").get_by_label(text("make.script"))
    assert not page.get_by_text(text("kept")).is_visible()
    script.fill("As I would have it.")
    opened_make(page)
    assert script.input_value() == "", "another page, another form"
    opened_make(page, f"?like={before}")
    assert script.input_value() == "As I would have it."
    page.get_by_role("button", name=text("kept.drop")).click()
    page.get_by_text(text("make.count", characters=10, most=60_000)).wait_for()
    assert not page.get_by_text(text("kept")).is_visible()
    for _ in range(2):
        assert script.input_value() == "As it was."
        page.reload()
    cancel(stores, before)


def test_a_page_that_lost_its_server_or_its_login_tries_again_by_itself(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    waits = order(stores, bring(stores, tmp_path, "Anna A.").uri, "I wait.")
    page.goto(f"{HERE}/videos/{waits}")
    faults: list[tuple[dict[str, Any], str]] = [(LOGIN_OVER, "login.over"), ({"status": 502}, "lost")]
    for fault, told in faults:
        once(page, "**/live", **fault)
        page.clock.fast_forward(15_000)
        page.get_by_text(text(told)).wait_for()
        page.clock.fast_forward(15_000)
        page.get_by_text(text(told)).wait_for(state="hidden")
    cancel(stores, waits)


def test_a_list_that_the_last_video_has_left_says_so(page: Page, stores: Settings, tmp_path: Path) -> None:
    last = order(stores, bring(stores, tmp_path, "Anna A.").uri, "The last one.")
    page.goto(f"{HERE}/videos?state=running")
    page.get_by_role("link", name="The last one.").wait_for()
    cancel(stores, last)
    page.clock.fast_forward(3_000)
    page.get_by_text(text("videos.none.chosen")).wait_for()
    assert page.get_by_role("link", name="The last one.").count() == 0


@pytest.mark.parametrize("path", ["queue", "videos"])
def test_a_part_is_drawn_anew_and_who_is_on_a_link_stays_on_it(
    page: Page, stores: Settings, tmp_path: Path, path: str
) -> None:
    avatar = bring(stores, tmp_path, "Anna A.").uri
    there = [order(stores, avatar, f"First of {path}.")]
    page.goto(f"{HERE}/{path}")
    page.get_by_role("link", name=f"First of {path}.").focus()
    there.append(order(stores, avatar, f"Second of {path}."))
    page.clock.fast_forward(3_000)
    page.get_by_role("link", name=f"Second of {path}.").wait_for()
    assert page.evaluate("document.activeElement.textContent").endswith(f"First of {path}.")
    cancel(stores, *there)


def test_a_new_version_may_have_another_voice_than_the_cloned_one(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    avatar = bring(stores, tmp_path, "Anna A.").uri
    sample = {"uri": avatar.replace(".png", ".wav"), "transcript": "This is how I speak."}
    cloned = order(stores, avatar, "In my voice.", voice_sample=sample, engines={"speech": "small_e"})
    opened_make(page, f"?like={cloned}").get_by_text("Speak in the voice of ").wait_for()
    asked = page.evaluate("request()")
    assert (asked["voice"], asked["voice_sample"]) == (None, sample)
    page.locator("[name=voice]").first.dispatch_event("input")  # as one that was not chosen before
    asked = page.evaluate("request()")
    assert asked["voice"]
    assert "voice_sample" not in asked
    page.get_by_label("Speak in the voice of ").check()
    asked = page.evaluate("request()")
    assert (asked["engines"]["speech"], asked["voice_sample"]) == ("small_e", sample)
    cancel(stores, cloned)


def test_who_added_an_avatar_is_on_it_and_finds_it_chosen_again(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    bring(stores, tmp_path, "Anna A.")
    opened_make(page).get_by_label(text("make.script")).fill("Who says this?")

    def keep(route: Route) -> None:  # a browser shows the test no file that it sends
        route.fulfill(status=201, json={"uri": bring(stores, tmp_path, "Ben B.").uri})

    page.route(f"{HERE}/avatars", keep)
    page.get_by_role("button", name=text("make.avatar.add")).click()
    page.get_by_label(text("upload.file"), exact=True).set_input_files(tmp_path / "A.png")
    page.get_by_label(text("upload.subject")).fill("Ben B.")
    page.get_by_role("button", name=text("upload.send"), exact=True).click()
    page.locator("#upload").wait_for(state="hidden")
    new = page.evaluate("document.activeElement.value")
    assert new == page.evaluate("request().avatar.uri") == avatars.usable(stores, "anna")[0].uri
    bring(stores, tmp_path, "Eve E.")  # now the first
    opened_make(page)
    assert page.evaluate("request().avatar.uri") == new


def test_a_voice_that_is_pressed_twice_is_heard_and_nothing_else_is_told(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    bring(stores, tmp_path, "Anna A.")
    hear = opened_make(page).get_by_role("button", name="Hear heart")
    hear.evaluate("button => { button.click(); button.click(); }")  # the first sample has not come yet
    assert page.evaluate(HEARD) >= 0.1
    assert not page.locator("#trouble").is_visible()


def test_a_line_that_is_read_out_is_written_when_it_changes_only(
    page: Page, stores: Settings, tmp_path: Path
) -> None:
    lines = [{"text": "One."}, {"text": "Two."}]
    before = order(stores, bring(stores, tmp_path, "Anna A.").uri, lines)
    opened_make(page, f"?like={before}").evaluate("""() => {
        window.written = 0;
        new MutationObserver(() => written += 1).observe($("#script-lines"), { childList: true });
    }""")
    for script in ("One. Two. Thr", "One. Two. Three."):
        page.get_by_label(text("make.script")).fill(script)
    page.get_by_text(text("make.script.lines")).wait_for()
    assert page.evaluate("written") == 1
    cancel(stores, before)
