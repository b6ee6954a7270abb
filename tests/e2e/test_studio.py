"""The Studio in a real browser, inside the running Airflow."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from kit.running_site import AVATAR, Site, avatarlab

from avatarlab_ops.stores.catalog import consents, transaction

from .test_site import FLAGS

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Page, Route

FIRST, LAST, NEW = "Hello from the Studio.", "This is the first try.", "This is the second try."
PLAYED = "video => video.currentTime > 0.3 && video.getVideoPlaybackQuality().totalVideoFrames > 3"
PLAYS = f"""async (video) => {{
  video.muted = true;
  await video.play();
  while (!({PLAYED})(video)) await new Promise(requestAnimationFrame);
}}"""
HEARD = """async () => {
  while (heard.currentTime < 0.3) await new Promise(requestAnimationFrame);
  const bytes = await (await fetch(heard.src)).arrayBuffer();
  const sound = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes);
  return sound.getChannelData(0).reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 0);
}"""
DROPPED = """(node, content) => {
  const held = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  held.items.add(new File([bytes], "anna.png", { type: "image/png" }));
  return held;
}"""


@pytest.fixture(scope="module")
def clicks() -> list[str]:
    """Every click since the login page, in whatever frame."""
    return []


@pytest.fixture(scope="module")
def page(site: Site, clicks: list[str]) -> Iterator[Page]:
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("no Chromium here; `make test` installs it where it may")
    from playwright.sync_api import sync_playwright

    def clicked(target: str) -> None:
        clicks.append(target)

    password = json.loads((site.home / "airflow" / "passwords.json").read_text())["anna"]
    with sync_playwright() as play, play.chromium.launch(executable_path=browser, args=FLAGS) as chromium:
        context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
        context.expose_function("clicked", clicked)
        context.add_init_script("addEventListener('pointerdown', (event) => clicked(event.target.id), true)")
        context.set_default_timeout(120_000)  # a busy machine
        page = context.new_page()
        page.goto(f"{site.address}/auth/login/?next={site.address}/")
        page.get_by_label("Username").fill("anna")
        page.locator("input[type=password]").fill(password)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Avatarlab", exact=True).wait_for()
        yield page


@pytest.fixture(scope="module")
def studio(page: Page) -> FrameLocator:
    """What Airflow's frame shows after one click on its navigation."""
    page.get_by_role("link", name="Avatarlab", exact=True).click()
    return page.frame_locator("iframe")


@pytest.fixture(scope="module")
def portrait() -> str:
    """Bytes that nobody brought before, as base64."""
    from PIL import Image, ImageOps

    held = io.BytesIO()
    ImageOps.mirror(Image.open(Path(__file__).parents[2] / "demo" / "astronaut.png")).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()


def go(studio: FrameLocator, name: str) -> None:
    """To a page of the Studio; a click on what both pages show could meet the one that is left."""
    link = studio.get_by_role("link", name=name, exact=True).first
    link.click()
    link.and_(studio.locator("[aria-current]")).wait_for()


def keep(page: Page, name: str) -> None:
    """A picture for people, where somebody asked for some."""
    if folder := os.environ.get("AVATARLAB_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png")


def test_the_pages_follow_airflows_theme(page: Page, studio: FrameLocator) -> None:
    studio.get_by_role("heading", name="Videos").wait_for()
    dark = "html => html.classList.contains('dark')"
    assert studio.locator("html").evaluate(dark) == page.locator("html").first.evaluate(dark)


def test_five_clicks_lead_from_the_login_to_a_new_portraits_playing_video(
    page: Page, studio: FrameLocator, portrait: str, clicks: list[str]
) -> None:
    studio.get_by_role("link", name="Make a video").first.click()
    studio.get_by_text("of 60000 characters").wait_for()
    body = studio.locator("body")
    body.dispatch_event("drop", {"dataTransfer": body.evaluate_handle(DROPPED, portrait)})
    studio.get_by_label("Who is shown?").fill("Anna A.")
    studio.get_by_label("Or the licence").fill("Public domain.")
    studio.get_by_role("button", name="Add", exact=True).click()
    studio.locator("[name=avatar]:checked").and_(studio.get_by_role("radio", name="Anna A.")).wait_for()
    studio.get_by_label("What should be said?").fill(f"{FIRST} {LAST}")
    studio.get_by_role("button", name="Make the video").click()
    studio.get_by_role("heading", name="Progress").wait_for()
    moving = studio.locator("[data-live] .steps")
    moving.locator(".done").nth(2).wait_for(
        timeout=300_000
    )  # the page told of three steps, one after another
    keep(page, "progress")
    video = studio.locator("video")
    video.wait_for(timeout=300_000)
    video.click()
    page.wait_for_function(PLAYED, arg=video.element_handle())
    assert video.evaluate("video => video.textTracks[0].mode") == "showing"
    assert "Hello" in video.evaluate("video => video.textTracks[0].cues[0].text")
    keep(page, "video")
    assert len(clicks) <= 5, clicks
    assert "/avatarlab/videos/" in page.url  # an address that can be sent to somebody


def test_a_file_is_recognised_by_its_bytes(
    page: Page, studio: FrameLocator, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "found.mp4"
    with page.expect_download() as coming:
        studio.get_by_role("link", name="Video", exact=True).click()
    coming.value.save_as(file)
    back = page.url
    go(studio, "Verify")
    studio.get_by_label("Video, poster or captions").set_input_files(file)
    studio.get_by_role("button", name="Look at it").click()
    studio.get_by_role("heading", name="Published here").wait_for()
    studio.get_by_text("It is not withdrawn.").wait_for()
    page.goto(back)


def test_feedback_is_kept(studio: FrameLocator) -> None:
    studio.get_by_role("group", name="The video as a whole").get_by_role("radio", name="4").check(force=True)
    studio.get_by_role("button", name="Send feedback").click()
    studio.get_by_text("Thank you").wait_for()
    studio.locator("body").evaluate("() => location.reload()")
    assert "4 of 5" in studio.locator(".opinion").inner_text(), "it is still there on a page drawn anew"


def test_one_sentence_is_changed_after_a_look_and_a_listen(page: Page, studio: FrameLocator) -> None:
    studio.get_by_role("link", name="Make a new version").click()
    script = studio.get_by_label("What should be said?")
    assert script.input_value() == f"{FIRST} {LAST}"
    studio.locator("#make:not([inert])").wait_for()
    asked, before = json.loads(studio.locator("body").evaluate("() => JSON.stringify([request(), earlier])"))
    assert asked == before, "nothing was touched"
    first_frame = studio.get_by_alt_text("The first frame of the video")
    assert first_frame.evaluate("picture => picture.decode().then(() => picture.naturalHeight)") == 480
    studio.get_by_role("button", name="Hear ").first.click()
    assert studio.locator("body").evaluate(HEARD) > 0.1
    studio.get_by_label("Quality").select_option("360p")
    script.fill(f"{FIRST} {NEW}")
    studio.get_by_text("What will be said").click()
    studio.locator("#reading").get_by_text(NEW).wait_for()
    studio.get_by_text("Find the face").wait_for()  # among what is reused
    studio.get_by_label("Labels").fill("x")
    studio.get_by_role("button", name="Hear the first sentence").click()
    studio.get_by_text("Write a label as name=value").wait_for()
    studio.get_by_label("Labels").fill("")
    studio.get_by_role("button", name="Hear the first sentence").click()  # it can be pressed again
    draft = studio.locator("[data-canvas] video")
    draft.wait_for()
    page.wait_for_function("video => video.videoHeight === 360", arg=draft.element_handle())
    keep(page, "make")
    studio.get_by_role("button", name="Make the video").click()
    video = studio.locator(".stage video")
    video.wait_for(timeout=300_000)
    said = "video => [...video.textTracks[0].cues].map((cue) => cue.text).join(' ')"
    page.wait_for_function(f"video => ({said})(video).includes('second')", arg=video.element_handle())


def test_who_has_a_link_and_no_login_plays_the_video(page: Page, studio: FrameLocator, site: Site) -> None:
    back = page.url
    page.goto(f"{site.address}/plugin/avatarlab")
    studio.get_by_role("link", name=f"{FIRST} {LAST}").click()
    studio.get_by_role("button", name="Share").click()
    studio.get_by_role("button", name="Make a link").click()
    studio.get_by_label("The link", exact=True).wait_for()
    links = [studio.get_by_label("The link", exact=True).input_value()]
    studio.get_by_role("button", name="Close").click()
    go(studio, "People")
    studio.get_by_role("link", name="Anna A.").click()
    studio.get_by_role("button", name="Link for this person").click()
    studio.get_by_role("button", name="Make a link").click()
    studio.get_by_label("The link", exact=True).wait_for()
    links.append(studio.get_by_label("The link", exact=True).input_value())
    with transaction(site.settings.pg_dsn) as db:
        anna = next(one.id for one in consents.listed(db) if one.subject == "Anna A.")
    links.append(avatarlab("consent", "link", anna, "--days", "2").stdout.strip())
    assert page.context.browser
    with page.context.browser.new_context() as nobody:
        for link in links:
            stranger = nobody.new_page()
            stranger.goto(link)
            assert list(faults_of(stranger)) == []
            keep(stranger, f"shared-{links.index(link)}")
            stranger.locator("video").first.evaluate(PLAYS)  # the page's policy lets nobody wait by a text
    page.goto(back)


def test_an_order_whose_answer_was_lost_is_made_once_and_cancelled(page: Page, studio: FrameLocator) -> None:
    def lose(route: Route) -> None:
        route.fetch(timeout=120_000)
        route.abort()

    studio.get_by_role("link", name="Make a new version").click()
    studio.get_by_label("What should be said?").fill("Nobody waits for this.")
    page.route("**/api/v1/renders", lose, times=1)
    for _ in range(2):  # the second press waits until the button can be pressed again
        studio.get_by_role("button", name="Make the video").click()
    studio.get_by_role("button", name="Cancel").click()
    studio.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    studio.get_by_text("This render was cancelled.").wait_for()
    studio.get_by_role("link", name="All videos").click()
    studio.locator(".card").first.wait_for()
    assert studio.get_by_role("link", name="Nobody waits for this.").count() == 1


def test_a_first_frame_that_was_not_made_is_asked_for_again_at_the_next_change(
    page: Page, studio: FrameLocator, site: Site
) -> None:
    busy = {"status": 503, "json": {"detail": "All places are taken."}}
    page.route("**/previews?kind=still", lambda route: route.fulfill(**busy), times=1)
    page.goto(f"{site.address}/plugin/avatarlab")
    studio.get_by_role("link", name="Make a video").first.click()
    studio.get_by_text("All places are taken.").wait_for()
    studio.get_by_label("What should be said?").fill("a " * 30_004 + "aa")
    studio.get_by_text("60010 of 60000 characters: split it").wait_for()
    studio.get_by_text("has 60010 characters, at most 60000 are allowed").wait_for()
    studio.get_by_label("What should be said?").fill("Now there is one.")
    studio.get_by_role("radio", name="Tall").check(force=True)
    studio.get_by_alt_text("The first frame of the video").wait_for()
    go(studio, "Queue")
    go(studio, "Make")  # what was written is there again
    studio.locator("#make:not([inert])").wait_for()
    assert studio.get_by_label("What should be said?").input_value() == "Now there is one."
    assert studio.get_by_role("radio", name="Tall").is_checked()


def test_a_pasted_table_is_checked_line_by_line_begun_and_cancelled(page: Page, studio: FrameLocator) -> None:
    go(studio, "Bulk")
    template = {"script": "Hello {{name}}.", "avatar": {"uri": AVATAR}, "output": {"aspect": "{{shape}}"}}
    studio.get_by_label("Template").fill(json.dumps(template))
    studio.get_by_label("Table").fill("name,shape\nAnna,1:1\nBen,7:7\n")
    studio.get_by_role("button", name="Check").click()
    studio.get_by_text("line 3").wait_for()
    studio.get_by_label("Table").fill("script\tavatar.uri\toutput.aspect\nHello.\t" + AVATAR + "\t")
    studio.get_by_label("Template").fill("")
    studio.get_by_role("button", name="Check").click()
    studio.get_by_text("1 videos, about").wait_for()  # from Excel, the last cell empty
    studio.get_by_label("Template").fill(json.dumps(template))
    studio.get_by_label("Table").fill("name,shape\nAnna,1:1\nBen,9:16\n")
    studio.get_by_role("button", name="Check").click()
    studio.get_by_text("2 videos, about").wait_for()
    studio.get_by_role("button", name="Make the videos").click()
    studio.locator(".row").nth(1).wait_for()
    keep(page, "bulk")
    studio.get_by_role("button", name="Cancel").click()
    studio.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    studio.get_by_role("link", name="Report (CSV)").wait_for()
    assert studio.get_by_text("waiting").count() == 0
    go(studio, "Queue")
    studio.get_by_text("places busy").first.wait_for()
    page.route("**/queue/live", lambda route: route.fulfill(status=401, json={"detail": "Token Expired"}))
    studio.get_by_text("Your login has expired").wait_for()
    studio.get_by_text("places busy").first.wait_for()  # what was shown stays
    page.unroute("**/queue/live")
    studio.get_by_text("Your login has expired").wait_for(state="hidden")


def test_a_failed_video_says_why_within_two_clicks(
    page: Page, studio: FrameLocator, site: Site, clicks: list[str]
) -> None:
    run_id = "names-nobody"  # by Airflow's own door: the API refuses this at once
    site.client.trigger(
        run_id, {"script": "Nobody says this.", "avatar": {"uri": "s3://inputs/e2e/nobody-at-all.png"}}
    )
    assert site.finish(run_id) == "failed"
    page.goto(f"{site.address}/plugin/avatarlab")
    before = len(clicks)
    go(studio, "Failed")
    studio.get_by_role("link", name="Nobody says this.").click()
    studio.get_by_text("nobody-at-all.png does not exist").wait_for()
    studio.get_by_text("Choose another avatar").wait_for()
    assert len(clicks) <= before + 2
    assert studio.get_by_text("nobody-at-all.png does not exist").count() == 1
    page.goto(f"{site.address}/dags/avatar_render/runs/{run_id}/plugin/video")
    studio.get_by_text("nobody-at-all.png does not exist").wait_for()


def test_no_page_shuts_anybody_out(page: Page, site: Site) -> None:
    """Axe finds nothing serious in light or dark, nothing scrolls sideways at 320 px, no link is dead."""
    studio = f"{site.address}/avatarlab"
    with page.context.new_page() as looking:
        waiting = [f"{studio}/impact?kind=engine&value=viseme_warp"]
        for state in ("published", "failed"):
            looking.goto(f"{studio}/videos?state={state}")
            waiting.append(str(looking.locator(".card h2 a").first.evaluate("link => link.href")))
        seen, faults = {shape(address) for address in waiting}, []
        while waiting:
            address = waiting.pop()
            answer = looking.goto(address)
            assert answer
            faults += [f"{address}: {fault}" for fault in (*faults_of(looking), *answered(answer.status))]
            for href in looking.eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
                if shape(href) in seen:
                    continue
                seen.add(shape(href))
                if re.match(f"{studio}/(?!api/|renders/)", href):
                    waiting.append(href)
                else:
                    status = looking.request.get(href).status
                    faults += [f"{address}: {href}: {fault}" for fault in answered(status)]
    assert faults == []
    assert len(seen) > 12


def test_a_revoked_consent_takes_its_videos_down(page: Page, studio: FrameLocator, site: Site) -> None:
    page.goto(f"{site.address}/plugin/avatarlab")
    go(studio, "People")
    studio.get_by_role("link", name="Anna A.").click()
    studio.get_by_role("button", name="Revoke the consent").click()
    dialog = studio.get_by_role("dialog")
    dialog.get_by_text("2 videos").wait_for()
    dialog.get_by_label("Why").fill("Anna asked for it")
    dialog.get_by_role("button", name="Revoke the consent").click()
    studio.get_by_text("Withdrawn", exact=True).nth(1).wait_for()
    studio.get_by_text("Anna asked for it").wait_for()
    go(studio, "Videos")
    studio.get_by_role("link", name=f"{FIRST} {LAST}").click()
    studio.get_by_text("This video was withdrawn").wait_for()
    assert studio.locator("video").count() == 0


def shape(address: str) -> str:
    """What addresses of one kind have in common: all but ids and queries."""
    return re.sub(r"[^/]*\d[^/]*", "*", urlsplit(address).path)


def answered(status: int) -> list[str]:
    return [f"answers {status}"] if status >= 400 else []


def faults_of(page: Page) -> Iterator[str]:
    """What shuts somebody out of the page that is shown."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    yield from serious(page)
    page.emulate_media(color_scheme="dark")
    yield from serious(page, runOnly=["color-contrast"])  # all that a theme changes
    page.set_viewport_size({"width": 320, "height": 800})
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > 320:
        yield f"scrolls sideways at 320 px: {wide} px"
    page.set_viewport_size({"width": 1280, "height": 900})


def serious(page: Page, **options: Any) -> Iterator[str]:
    from axe_playwright_python.sync_playwright import Axe

    for one in Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]:
        if one["impact"] in ("serious", "critical"):
            yield f"{one['help']}: {[node['html'][:120] for node in one['nodes']]}"
