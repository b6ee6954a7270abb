"""The Studio's pages over real stores; Airflow's login and a real browser are tried in tests/e2e."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
import sqlalchemy as sa
from avatarlab_web import starting
from avatarlab_web.api import previews
from avatarlab_web.api.access import Caller
from avatarlab_web.api.consents import take_back
from avatarlab_web.app import app
from avatarlab_web.studio import bulk as studio_bulk
from avatarlab_web.studio import faces, page
from avatarlab_web.studio.access import viewer
from kit.heif import heic
from PIL import Image
from plans import a_plan
from starlette.testclient import TestClient

from avatarlab_ops import engines, graph, pipeline
from avatarlab_ops.bulk import planning
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.errors import ApprovalAwaited, FaceRefused
from avatarlab_ops.fields import split_reference
from avatarlab_ops.renders import approval, avatars, withdrawal
from avatarlab_ops.request import KINDS, Behind
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import consents, engine, tables, transaction
from avatarlab_ops.stores.objects import objects

from .material import astronaut, located, png
from .studio_client import opened

FOREIGN = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}


@pytest.fixture
def roles() -> set[str]:
    return {"reader", "author"}


@pytest.fixture
def studio(stores: Settings, roles: set[str]) -> Iterator[TestClient]:
    with opened(stores, roles) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def _without_previews() -> Iterator[None]:
    """The process that the page Make starts ends with these tests."""
    yield
    previews.desk.close()


@pytest.fixture(scope="module")
def failed(stores: Settings, portrait: str) -> str:
    asked = {
        "script": "It <b>fails</b>.",
        "avatar": {"uri": portrait},
        "labels": {"campaign": "spring", "note": 'a, "b"'},
    }
    asked["output"] = {"ai_label": "icon_deepfake", "aspect": "source"}
    render_id = pipeline.submit(stores, asked, caller="anna")
    reason = FaceRefused("no face was found <script>alert(1)</script>")
    pipeline.fail(stores, render_id, reason, stage="admit")
    return render_id


@pytest.fixture(scope="module")
def published(stores: Settings, portrait: str) -> str:
    asked = {"script": "Hi.", "avatar": {"uri": portrait}, "output": {"resolution": "360p", "fps": 24}}
    return pipeline.render(stores, asked, caller="anna").render_id


def test_what_waits_for_approval_is_looked_at_and_an_operator_decides(
    studio: TestClient, stores: Settings, portrait: str, roles: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_APPROVAL", "all")
    render_id = pipeline.submit(stores, {"script": "Look.", "avatar": {"uri": portrait}}, caller="anna")
    *before, last = graph.STAGES
    for stage in before:
        pipeline.run_stage(stores, render_id, stage)
    with pytest.raises(ApprovalAwaited):
        pipeline.run_stage(stores, render_id, last)
    address, made = f"/videos/{render_id}", f"/renders/{render_id}/unpublished"
    assert "Waits for approval" in studio.get(address).text
    assert "Approve and publish" not in studio.get(address).text
    listed = studio.get("/videos?state=awaiting").text
    assert address in listed
    assert '<span class="chip awaiting">To approve</span>' in listed
    roles.add("operator")
    assert "Approve and publish" in studio.get(address).text
    assert studio.get(made, follow_redirects=False).status_code == 307
    poster = studio.get(f"/renders/{render_id}/poster")
    assert (poster.headers["content-type"], poster.headers["cache-control"]) == ("image/jpeg", "no-store")
    assert f'/renders/{render_id}/poster"' in listed
    assert "data-over" in studio.get(f"{address}/live").text  # a page that was opened before is drawn anew
    live = studio.get(f"{address}/live?asked=true").text
    assert "data-over" not in live
    assert '<span class="chip awaiting">To approve</span>' in live
    assert 'class="left"' not in live, "nobody knows how long a person takes"
    approval.approve(stores, render_id, "anna")
    assert "Approve and publish" not in studio.get(address).text
    assert studio.get(made, follow_redirects=False).status_code == 404
    assert address not in studio.get("/videos?state=awaiting").text


def test_a_video_stands_beside_what_it_was_made_from(studio: TestClient, published: str) -> None:
    shown = studio.get(f"/videos/{published}").text
    (source,) = re.findall(r'<img src="([^"]+)"', shown.partition("panel source")[2])
    sha256 = hashlib.sha256(png(astronaut())).hexdigest()
    assert source.endswith(f"/avatars/{sha256}/small")
    (consent,) = re.findall(r'href="(/people/[^"]+)"', shown)
    assert f"/videos/{published}" in studio.get(consent).text


def test_the_evidence_of_a_video_is_one_file(studio: TestClient, published: str, failed: str) -> None:
    assert f'href="/renders/{published}/evidence"' in studio.get(f"/videos/{published}").text
    answer = studio.get(f"/renders/{published}/evidence")
    assert answer.headers["content-disposition"] == f'attachment; filename="{published}-evidence.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as pack:
        assert {"manifest.json", "lineage.json", "SHA256SUMS.sig"} <= set(pack.namelist())
    assert studio.get(f"/renders/{failed}/evidence").status_code == 404


def test_what_a_change_touches_can_be_made_anew_or_taken_back(
    studio: TestClient, stores: Settings, roles: set[str], published: str
) -> None:
    address = "/impact?kind=engine&value=viseme_warp"
    assert page.text("impact.anew.sure", count=1) not in studio.get(address).text
    roles.add("bulk author")
    shown = studio.get(address).text
    assert page.text("impact.anew.sure", count=1) in shown
    assert page.text("impact.back.sure", count=1) in shown
    every, own = (html.unescape(one) for one in re.findall(r'data-chosen="[^"]*(/impact/[^"]*)"', shown))
    assert studio.get(every).json() == studio.get(own).json() == [published]
    app.dependency_overrides[viewer] = lambda: Caller("eve", lambda role: role in ("reader", "author"))
    theirs = studio.get(address).text
    assert f"/videos/{published}" in theirs
    assert "data-chosen" not in theirs
    assert studio.get(every).json() == [published]
    assert studio.get(own).json() == []


def test_a_failed_video_says_why_at_which_step_and_what_to_do(studio: TestClient, failed: str) -> None:
    shown = studio.get(f"/videos/{failed}").text
    assert "no face was found &lt;script&gt;" in shown
    assert "<script>alert" not in shown
    assert page.text("stage.admit") in shown
    assert page.text("advice.face_refused") in shown
    assert f"/make?like={failed}" in shown


def test_the_list_shows_cards_and_chooses_by_state_label_and_caller(studio: TestClient, failed: str) -> None:
    for query in ("", "?state=failed", "?label=campaign%3Dspring", "?mine=1"):
        assert f"/videos/{failed}" in studio.get(f"/videos{query}").text, query
    for query in ("?state=published", "?label=campaign%3Dautumn"):
        assert f"/videos/{failed}" not in studio.get(f"/videos{query}").text, query


def test_a_wrong_cursor_is_told_and_is_no_defect(studio: TestClient) -> None:
    answer = studio.get("/videos", params={"cursor": "bm90aGluZw=="})
    assert (answer.status_code, "begin again without it" in answer.text) == (422, True)


def test_pages_load_from_this_server_and_the_store_only(studio: TestClient, stores: Settings) -> None:
    sent = studio.get("/videos").headers
    policy = dict(part.strip().partition(" ")[::2] for part in sent["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'self'"
    assert stores.s3_endpoint in policy["media-src"]
    assert sent["x-content-type-options"] == "nosniff"
    assert sent["referrer-policy"] == "no-referrer"


def test_who_is_not_logged_in_is_led_to_the_login_and_a_file_is_no_exception() -> None:
    nobody = TestClient(app, follow_redirects=False)
    for path in (
        "/videos",
        "/make",
        "/static/studio.css",
        "/renders/x/poster",
        "/voices/hibari/heart/sample",
    ):
        answer = nobody.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/auth/login/?next="), path
    assert nobody.post("/avatars", files={"file": b"x"}).status_code == 401
    fetched = nobody.get("/queue/live", headers={"sec-fetch-mode": "cors"})
    assert fetched.status_code == 401, "a page that moves would show the login page in its place"
    sent = nobody.post("/verify", headers={"sec-fetch-mode": "navigate"})
    assert (sent.status_code, sent.headers["location"][:18]) == (303, "/auth/login/?next=")


def test_a_viewer_sees_videos_and_no_button_that_changes_them(
    studio: TestClient, roles: set[str], failed: str
) -> None:
    roles.remove("author")
    assert "/make" not in studio.get(f"/videos/{failed}").text.partition("</header>")[2]
    assert studio.get("/make").status_code == 403
    assert studio.post("/avatars", files={"file": ("a.png", b"x")}).status_code == 403


def test_a_portrait_is_kept_with_its_consent_and_can_be_chosen(studio: TestClient, stores: Settings) -> None:
    other = astronaut()[:, ::-1]  # bytes that nobody brought before
    files = {"file": ("Anna & co.png", png(other)), "evidence": ("release.pdf", b"I agree.")}
    answer = studio.post("/avatars", files=files, data={"subject": "Anna <A.>"})
    assert answer.status_code == 201, answer.text
    (mine,) = [one for one in avatars.usable(stores, "anna") if one.uri == answer.json()["uri"]]
    assert mine.subject == "Anna <A.>"
    assert "Anna &lt;A.&gt;" in studio.get("/make").text


def test_a_picture_as_phones_take_it_is_shown_until_its_consent_ends(
    studio: TestClient, stores: Settings, tmp_path: Path
) -> None:
    picture = heic(tmp_path / "IMG_0001.heic", astronaut()[:, ::-1].copy()).read_bytes()
    given = {"file": ("IMG_0001.heic", picture), "licence": (None, "CC0"), "subject": (None, "Heike")}
    assert studio.post("/avatars", files=given).status_code == 201
    (mine,) = [one for one in avatars.usable(stores, "anna") if one.subject == "Heike"]
    for path in ("/make", "/people"):
        assert f'src="/avatars/{mine.sha256}/small"' in studio.get(path).text
    for _ in range(2):  # made, and remembered
        shown = studio.get(f"/avatars/{mine.sha256}/small")
        with Image.open(io.BytesIO(shown.content)) as image:
            assert (shown.headers["content-type"], image.format, image.size) == (
                "image/jpeg", "JPEG", (faces.SIDE_PX, faces.SIDE_PX)
            )  # fmt: skip
    assert shown.headers["cache-control"] == "no-store"
    app.dependency_overrides[viewer] = lambda: Caller("eve", lambda role: role == "reader")
    assert studio.get(f"/avatars/{mine.sha256}/small").status_code == 404, "she shared it with nobody"
    app.dependency_overrides[viewer] = lambda: Caller("anna", lambda role: role == "reader")
    take_back(stores, mine.consent_id, "enough", withdraw=True)
    assert studio.get(f"/avatars/{mine.sha256}/small").status_code == 404
    assert mine.sha256 not in faces._kept


def test_a_portrait_is_looked_up_by_what_it_is(studio: TestClient, stores: Settings, portrait: str) -> None:
    (found,) = [one for one in avatars.usable(stores, "anna") if one.uri == portrait]
    given: list[object] = []
    look = lambda *told: given.append(told[3])  # noqa: E731 (to be taken off again)
    sa.event.listen(engine(stores.pg_dsn), "before_cursor_execute", look)
    assert avatars.one(stores, "anna", found.sha256) == found
    sa.event.remove(engine(stores.pg_dsn), "before_cursor_execute", look)
    assert found.sha256 in str(given[0]), "every consent would be read for each picture of a page"
    assert avatars.one(stores, "anna", "0" * 64) is None


def test_what_cannot_be_an_avatar_is_refused_by_name_and_not_kept(
    studio: TestClient, stores: Settings, tmp_path: Path
) -> None:
    before = list(objects(stores).keys(stores.bucket_inputs))
    faceless = located("scikit-image", "coffee.png").read_bytes()
    proof = {"subject": "A cup", "licence": "CC0"}
    refused = studio.post("/avatars", files={"file": ("cup.png", faceless)}, data=proof)
    assert (refused.status_code, refused.json()["code"]) == (422, "face_refused")
    text = studio.post("/avatars", files={"file": ("cup.png", b"no picture")}, data=proof)
    assert (text.status_code, text.json()["code"]) == (422, "media_refused")
    alone = studio.post("/avatars", files={"file": ("a.png", png(astronaut()))}, data={"subject": "A"})
    assert "release" in alone.json()["detail"]
    assert list(objects(stores).keys(stores.bucket_inputs)) == before


def test_a_page_of_another_server_can_add_nothing(studio: TestClient) -> None:
    answer = studio.post("/avatars", files={"file": ("a.png", b"x")}, headers=FOREIGN)
    assert answer.status_code == 403


def test_the_form_can_begin_with_what_an_earlier_video_was_asked_for(studio: TestClient, failed: str) -> None:
    shown = studio.get(f"/make?like={failed}").text
    assert "It &lt;b&gt;fails&lt;/b&gt;." in shown
    assert "campaign=spring" in shown
    assert '<option value="icon_deepfake" selected>' in shown
    assert 'name="aspect" value="source" checked' in shown
    assert 'note="a, ""b"""' in html.unescape(shown)


def test_a_script_that_is_too_long_is_not_cut_by_the_form(studio: TestClient) -> None:
    """A browser cuts what is pasted to a maxlength without a word; the API refuses it by name."""
    (field,) = re.findall('<textarea id="script"[^>]*>', studio.get("/make").text)
    assert "maxlength" not in field


def test_a_recording_in_place_of_a_voice_is_shown_and_can_be_dropped(
    studio: TestClient, stores: Settings
) -> None:
    inputs = f"s3://{stores.bucket_inputs}"
    asked = {
        "script": "Hi.",
        "avatar": {"uri": f"{inputs}/a.png"},
        "narration": {"uri": f"{inputs}/take-3.wav"},
    }
    render_id = pipeline.submit(stores, asked, caller="anna")
    form = studio.get(f"/make?like={render_id}").text
    assert 'name="narration" checked' in form
    assert "Use the recording take-3.wav again" in form
    assert 'name="narration"' not in studio.get("/make").text
    assert "a recording, take-3.wav" in studio.get(f"/videos/{render_id}").text
    pipeline.cancel(stores, render_id)


def test_the_form_offers_the_backgrounds_of_the_contract_and_keeps_one_that_it_cannot_ask_for(
    studio: TestClient, stores: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = Behind(("colour", "colour"))  # a kind may need several fields
    monkeypatch.setitem(cast("dict[str, Behind]", KINDS), "dusk", twice)
    radio = r'name="background" value="(\w+)" data-needs="([\w ]*)" data-container="(\w*)"'
    radio += "( data-cut-out)?( checked)?"
    offered = {
        kind: (needs, container, bool(cut), bool(checked))
        for kind, needs, container, cut, checked in re.findall(radio, studio.get("/make").text)
    }
    assert offered == {
        "original": ("", "", False, True),
        "colour": ("colour", "", True, False),
        "blur": ("", "", True, False),
        "transparent": ("", "webm", True, False),
        "dusk": ("colour colour", "", True, False),
    }
    inputs = f"s3://{stores.bucket_inputs}"
    behind = {"kind": "image", "uri": f"{inputs}/b.png"}
    asked = {"script": "Hi.", "avatar": {"uri": f"{inputs}/a.png"}, "background": behind}
    render_id = pipeline.submit(stores, asked, caller="anna")
    again = re.findall(radio, studio.get(f"/make?like={render_id}").text)
    assert [kind for kind, *_, checked in again if checked] == ["image"]
    assert "<dd>A picture</dd>" in studio.get(f"/videos/{render_id}").text
    pipeline.cancel(stores, render_id)


def test_the_language_that_spoke_is_shown_and_made_again(studio: TestClient, stores: Settings) -> None:
    asked = {"script": "Hola.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/a.png"}, "voice": "ef_dora"}
    render_id = pipeline.submit(stores, asked, caller="anna")
    with transaction(stores.pg_dsn) as db:
        db.get_one(tables.Render, render_id).plan = a_plan(language="es").model_dump(mode="json")
    (again,) = re.findall('data-earlier="([^"]*)"', studio.get(f"/make?like={render_id}").text)
    assert json.loads(html.unescape(again))["language"] == "es"
    assert '<p class="script" lang="es">Hola.' in studio.get(f"/videos/{render_id}").text
    pipeline.cancel(stores, render_id)


def test_a_person_page_shows_what_was_made_and_who_recorded_it_may_revoke(
    studio: TestClient, stores: Settings
) -> None:
    brought = {"file": ("ben.png", png(astronaut()[:500, ::-1]))}
    studio.post("/avatars", files=brought, data={"subject": "Ben B.", "licence": "CC0"})
    (mine,) = [one for one in avatars.usable(stores, "anna") if one.subject == "Ben B."]
    render_id = pipeline.submit(stores, {"script": "Hi.", "avatar": {"uri": mine.uri}}, caller="anna")
    pipeline.run_stage(stores, render_id, "admit")
    shown = studio.get(f"/people/{mine.consent_id}").text
    assert f"/videos/{render_id}" in shown
    assert f"/consents/{mine.consent_id}/revoke" in shown
    assert f"/people/{mine.consent_id}" in studio.get("/people").text
    pipeline.cancel(stores, render_id)
    app.dependency_overrides[viewer] = lambda: Caller("eve", lambda role: role in ("reader", "author"))
    assert "/revoke" not in studio.get(f"/people/{mine.consent_id}").text


def test_what_is_still_shown_on_an_ended_consent_can_be_taken_down(
    studio: TestClient, stores: Settings
) -> None:
    """Revoked without that, or where a store was away then: the page offers what it asks people to do."""
    brought = {"file": ("ada.png", png(astronaut()[:480, ::-1]))}
    studio.post("/avatars", files=brought, data={"subject": "Ada A.", "licence": "CC0"})
    (mine,) = [one for one in avatars.usable(stores, "anna") if one.subject == "Ada A."]
    page, revoke = f"/people/{mine.consent_id}", f"/consents/{mine.consent_id}/revoke"
    render_id = pipeline.submit(stores, {"script": "Hi.", "avatar": {"uri": mine.uri}}, caller="anna")
    with transaction(stores.pg_dsn) as db:
        consents.rely(db, render_id, [mine.consent_id])
        db.execute(sa.update(tables.Render).where(tables.Render.id == render_id).values(state="published"))
    withdrawal.revoke(stores, mine.consent_id, "She asked.")
    shown = studio.get(page).text
    assert revoke in shown
    assert '<input type="hidden" name="withdraw" value="true">' in shown
    assert "that are still shown: 1." in shown
    assert 'data-dialog="share"' not in shown
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(tables.Render).where(tables.Render.id == render_id).values(state="cancelled"))
    assert revoke not in studio.get(page).text


def test_a_person_page_shows_the_newest_videos_and_counts_all(
    studio: TestClient, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A built-in voice may be behind a hundred thousand videos."""
    brought = {"file": ("many.png", png(astronaut()[:490, ::-1]))}
    studio.post("/avatars", files=brought, data={"subject": "Many M.", "licence": "CC0"})
    (mine,) = [one for one in avatars.usable(stores, "anna") if one.subject == "Many M."]
    made = [
        pipeline.submit(stores, {"script": f"Number {number}.", "avatar": {"uri": mine.uri}}, caller="anna")
        for number in range(26)
    ]
    with transaction(stores.pg_dsn) as db:
        for render_id in made:
            consents.rely(db, render_id, [mine.consent_id])
        db.execute(sa.update(tables.Render).where(tables.Render.id.in_(made)).values(state="published"))
    shown = studio.get(f"/people/{mine.consent_id}").text
    assert "Made on this consent (26)" in shown
    assert "used for 26 videos that are shown now" in shown
    assert "and 2 more" in shown
    assert [render_id for render_id in made if f'<h2><a href="/videos/{render_id}"' in shown] == made[2:]
    older = re.search(r'href="(\?cursor=[^"]+)"', shown)
    assert older
    assert f"/videos/{made[0]}" in studio.get(f"/people/{mine.consent_id}{older[1]}").text
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(tables.Render).where(tables.Render.id.in_(made)).values(state="cancelled"))


def test_a_pasted_table_is_kept_where_a_bulk_run_reads_it(
    studio: TestClient, stores: Settings, roles: set[str]
) -> None:
    pasted = {"text": "name\nAnna\n", "kind": "csv"}
    assert studio.post("/bulk/files", json=pasted).status_code == 403
    roles.add("bulk author")
    uri = studio.post("/bulk/files", json=pasted).json()["uri"]
    assert objects(stores).read(*split_reference(uri)) == b"name\nAnna\n"
    assert "{{name}}" in studio.get("/bulk").text
    refused = studio.post("/bulk/files", json=pasted | {"text": "a" * 2_000_001})
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("text: String should have at most 2000000 characters")
    assert len(refused.content) < 1_000, "what was pasted is not sent back"


def test_a_file_that_somebody_holds_is_looked_at_and_not_kept(
    studio: TestClient, stores: Settings, roles: set[str]
) -> None:
    before = list(objects(stores).keys(stores.bucket_inputs))
    shown = studio.post("/verify", files={"file": ("<b>cup.png", png(astronaut()))})
    assert shown.status_code == 200
    assert page.text("verify.is.foreign") in shown.text
    assert page.text("verify.layer.digest") in shown.text
    assert "<b>cup" not in shown.text
    assert page.text("upload.nothing") in studio.post("/verify", files={"other": ("a", b"x")}).text
    assert studio.post("/verify", files={"file": ("a", b"x")}, headers=FOREIGN).status_code == 403
    assert list(objects(stores).keys(stores.bucket_inputs)) == before
    roles.remove("author")
    assert "<form" not in studio.get("/verify").text


def test_impact_names_what_is_known_when_nothing_is_found(studio: TestClient) -> None:
    shown = studio.get("/impact?kind=engine&value=no_such_engine").text
    assert "nothing was ever made with" in shown


def test_a_voice_with_a_clear_accent_says_so(studio: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "hibari \u00b7 Italian accent" not in studio.get("/make").text
    hibari = engines.info("speech", "hibari")
    borrowed = replace(hibari, voices=(replace(hibari.voices[0], accent="Italian"),))
    monkeypatch.setitem(engines.known().engines, ("speech", "hibari"), borrowed)
    assert "en-US \u00b7 hibari \u00b7 Italian accent</small>" in studio.get("/make").text


@pytest.mark.parametrize("path", ["/videos/a%00b", "/videos?label=a=%00", "/people/%00"])
def test_an_address_that_the_database_takes_for_none_is_told_so(studio: TestClient, path: str) -> None:
    told = studio.get(path)
    assert (told.status_code, "the character NUL" in told.text) == (422, True)


def test_a_voice_can_be_heard(studio: TestClient) -> None:
    answer = studio.get("/voices/hibari/heart/sample")
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.content[:4] == b"RIFF"
    assert len(answer.content) > 24_000  # more than half a second
    assert studio.get("/voices/hibari/nobody/sample").status_code == 404


def test_a_bulk_run_is_shown_while_it_is_planned_and_with_its_deadline_while_it_works(
    studio: TestClient, stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow, which knows of a run before the catalog does, is stood in for."""
    began = starting.Run("running", {}, "anna", None, datetime.now(UTC))
    monkeypatch.setattr(starting, "look", lambda *_: began)
    for address in ("/bulk/by", "/bulk/by/live"):
        shown = studio.get(address)
        assert (shown.status_code, "Checking every row" in shown.text) == (200, True)
    row = json.dumps({"script": "One.", "avatar.uri": portrait}).encode() + b"\n"
    uri = objects(stores).put_if_absent(stores.bucket_inputs, "by.jsonl", row * 3).uri
    soon = datetime.now(UTC) + timedelta(hours=1)
    planning.plan(stores, BulkRequest(file=uri, deadline=soon), bulk_id="by", caller="anna")
    with transaction(stores.pg_dsn) as db:
        db.execute(
            sa.update(tables.BulkRun).values(
                created_at=soon - timedelta(days=2), deadline=soon - timedelta(days=1)
            )
        )
        db.execute(sa.update(tables.BulkItem).where(tables.BulkItem.line == 3).values(state="failed"))
    monkeypatch.setattr(studio_bulk, "SHOWN", 2)
    live = studio.get("/bulk/by/live").text
    assert re.findall(r">line (\d)<", live) == ["3", "1"], "what failed comes first"
    assert "And 1 more. The report" in live
    assert "wanted by" in live
    assert "ready about" in live
    assert '<span class="chip failed">late</span>' in live
