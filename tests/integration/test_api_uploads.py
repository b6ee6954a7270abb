"""Uploads, and what there is to choose from, through the HTTP API and the real store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import httpx
import numpy as np
import pytest
import sqlalchemy as sa
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc
from click.testing import CliRunner
from kit.consented import consented
from kit.heif import heic
from PIL import Image

from avatarlab_ops import cli, pipeline
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.bulk.planning import plan
from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.housekeeping import Rules, keep_house
from avatarlab_ops.housekeeping import inputs as sweep
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.inspection import inspect
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import callers, inputs

from . import material
from .api_server import Server, serving

# What a field that names an object cannot do without.
NEEDED_WITH = {"voice_sample": {"transcript": "Hi."}, "background": {"kind": "image"}}
WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
def api(stores: Settings) -> Iterator[Server]:
    with serving(stores) as server:
        yield server


def announced(api: Server, content: bytes, name: str = "me.png", **other: Any) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    coming = {"name": name, "bytes": len(content), "type": "image/png", "sha256": digest}
    return api.client.post("/uploads", json=coming | other)


def uploaded(api: Server, content: bytes, name: str = "me.png", **other: Any) -> Any:
    awaited = announced(api, content, name, **other).json()
    put = httpx.put(awaited["url"], content=content, headers=awaited["headers"])
    assert put.is_success, put.text
    return api.client.post(f"/uploads/{awaited['id']}/complete")


def test_a_portrait_arrives_and_is_told_what_it_is(api: Server) -> None:
    told = uploaded(api, material.png(material.astronaut())).json()
    assert (told["kind"], told["width"], told["height"]) == ("image", 512, 512)
    assert told["face"]["face_px"] > 50
    assert told["no_avatar"] is None


PROFILE = "the image's colour profile is damaged; its colours were taken as sRGB"


def damaged_profile(path: Path) -> Path:
    """A portrait whose colour profile is none."""
    Image.fromarray(material.astronaut()).save(path, icc_profile=b"not a colour profile" * 20)
    return path


def hlg(path: Path) -> Path:
    """A grey clip of high dynamic range, HLG in BT.2020."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width, stream.pix_fmt = 180, 320, "yuv420p"
        context = stream.codec_context
        context.color_trc, context.color_primaries = ColorTrc.ARIB_STD_B67, ColorPrimaries.BT2020
        context.colorspace = Colorspace.BT2020
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), 90 + index, np.uint8), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_what_is_noted_of_an_input_is_told_at_every_door(
    api: Server, stores: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the API when it is uploaded and estimated, by the command line likewise, and in the manifest."""
    portrait, wall = damaged_profile(tmp_path / "noted.png"), hlg(tmp_path / "wall.mp4")
    consented(stores, portrait)
    sent = [uploaded(api, one.read_bytes(), one.name).json() for one in (portrait, wall)]
    assert PROFILE in sent[0]["notes"]
    (brightness,) = [note for note in sent[1]["notes"] if "HLG" in note]
    asked = {
        "script": "Hello.", "output": {"resolution": "360p"}, "avatar": {"uri": sent[0]["uri"]},
        "background": {"kind": "video", "uri": sent[1]["uri"]},
    }  # fmt: skip
    told = api.client.post("/estimates", json=asked).json()["warnings"]
    assert {f"{sent[0]['uri']}: {PROFILE}", f"{sent[1]['uri']}: {brightness}"} <= set(told)

    monkeypatch.setattr("avatarlab_ops.cli.common.stores", lambda: stores)
    monkeypatch.setattr("avatarlab_ops.cli.render.stores", lambda: stores)
    done = [CliRunner().invoke(cli.main, ["upload", str(one)]) for one in (portrait, wall)]
    assert f"note: {PROFILE}" in done[0].stderr
    assert f"note: {brightness}" in done[1].stderr
    asked["avatar"], asked["background"] = (
        {"uri": done[0].stdout.strip()}, {"kind": "video", "uri": done[1].stdout.strip()},
    )  # fmt: skip
    (tmp_path / "request.json").write_text(json.dumps(asked))
    rendered = CliRunner().invoke(cli.main, ["render", str(tmp_path / "request.json")])
    assert rendered.exit_code == 0, rendered.output
    manifest = json.loads(objects(stores).read(*split_or_refuse(rendered.stdout.split()[-1])))
    for one, note in zip(done, (PROFILE, brightness), strict=True):
        noted = f"{one.stdout.strip()}: {note}"
        assert f"warning   {noted}" in rendered.stderr
        assert noted in manifest["warnings"]


def test_a_picture_as_phones_take_it_arrives(
    api: Server, stores: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = heic(tmp_path / "IMG_0001.heic", material.astronaut())
    told = uploaded(api, picture.read_bytes(), picture.name, type="image/heic").json()
    assert (told["kind"], told["width"], told["height"]) == ("image", 512, 512)
    assert told["no_avatar"] is None
    monkeypatch.setattr("avatarlab_ops.cli.common.stores", lambda: stores)
    done = CliRunner().invoke(cli.main, ["upload", str(picture)])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith("/IMG_0001.heic")
    assert "as an avatar" not in done.stderr


def test_the_store_takes_no_other_bytes(api: Server) -> None:
    content = b"x" * 1000
    awaited = announced(api, content).json()
    headers = awaited["headers"]
    for other, sent in (
        (b"y" * 1000, headers),
        (content + b"more", headers),
        (content, headers | {"Content-Type": "text/html"}),
        (content, {"Content-Type": "image/png"}),
    ):
        assert httpx.put(awaited["url"], content=other, headers=sent).status_code in (400, 403)
    missing = api.client.post(f"/uploads/{awaited['id']}/complete")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_uploaded")


def test_what_is_no_picture_is_refused_and_removed(api: Server) -> None:
    refused = uploaded(api, b"this is no picture", "liar.png")
    assert (refused.status_code, refused.json()["code"]) == (422, "media_refused")
    again = api.client.post(f"/uploads/{hashlib.sha256(b'this is no picture').hexdigest()}-liar.png/complete")
    assert again.json()["code"] == "not_uploaded"


def test_an_upload_that_nobody_completed_is_nobodys_and_is_swept(api: Server, stores: Settings) -> None:
    picture = material.png(material.astronaut()[8:])
    consented(stores, picture)
    awaited = announced(api, picture, "left.png").json()
    assert httpx.put(awaited["url"], content=picture, headers=awaited["headers"]).is_success
    (key,) = [one for one in objects(stores).keys(stores.bucket_inputs) if one.endswith("/left.png")]
    asked = {"script": "Whose is it?", "avatar": {"uri": f"s3://{stores.bucket_inputs}/{key}"}}
    refused = api.client.post("/estimates", json=asked)
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_refused")
    assert "nobody completed" in refused.text
    leave = {"material": asked["avatar"]["uri"], "subject": "Anna", "licence": "CC0"}  # type: ignore[index]
    assert "nobody completed" in api.client.post("/consents", json=leave).text

    whole = uploaded(api, material.png(material.astronaut()[12:]), "whole.png").json()["uri"]
    client: Any = objects(stores).client
    place = {"Bucket": stores.bucket_inputs, "Key": "uploads/in-parts.mov"}
    part = client.create_multipart_upload(**place)["UploadId"]
    client.upload_part(**place, UploadId=part, PartNumber=1, Body=b"x" * 1000)
    keep_house(stores, apply=True)
    assert objects(stores).head(stores.bucket_inputs, key), "it may still be completed"
    done = {one.name: one.done for one in keep_house(stores, Rules(uploads=timedelta(0)), apply=True)}
    assert done["uploads that were never completed"] == 1
    assert done["uploads in parts that were left unfinished"] == 1
    assert objects(stores).head(stores.bucket_inputs, key) is None
    assert objects(stores).head(*split_or_refuse(whole))
    assert not client.list_multipart_uploads(Bucket=stores.bucket_inputs).get("Uploads")


def test_an_upload_that_is_completed_while_it_is_swept_stays(api: Server, stores: Settings) -> None:
    content = material.png(material.astronaut()[16:])
    awaited = announced(api, content, "late.png").json()
    assert httpx.put(awaited["url"], content=content, headers=awaited["headers"]).is_success
    (key,) = [one for one in objects(stores).keys(stores.bucket_inputs) if one.endswith("/late.png")]
    uri = f"s3://{stores.bucket_inputs}/{key}"
    with ThreadPoolExecutor(1) as other:
        with transaction(stores.pg_dsn) as db:
            inputs.hold(db, uri)
            job = Job(stores, Rules(uploads=timedelta(0)), apply=True, alive=lambda _: None)
            sweeping = other.submit(sweep.uploads, job)
            while not sweeping.done() and not db.scalar(WAITING):
                pass
            inputs.own(db, uri, "anna", shared=False)
        assert uri in sweeping.result().notes
    assert objects(stores).head(stores.bucket_inputs, key)


def test_evidence_that_proves_no_consent_is_swept(api: Server, stores: Settings) -> None:
    sent = {}
    for content in (b"%PDF of a consent", b"%PDF of nothing"):
        awaited = announced(api, content, "leave.pdf", purpose="evidence").json()
        assert httpx.put(awaited["url"], content=content, headers=awaited["headers"]).is_success
        told = api.client.post(f"/uploads/{awaited['id']}/complete?purpose=evidence").json()
        sent[content] = told["uri"]
    kept, left = sent.values()
    new = {"material": "hibari/heart", "kind": "voice", "subject": "Anna", "evidence": kept}
    assert api.client.post("/consents", json=new).status_code == 201
    keep_house(stores, apply=True)
    assert objects(stores).head(*split_or_refuse(left)), "a consent may still name it"
    keep_house(stores, Rules(uploads=timedelta(0)), apply=True)
    assert objects(stores).head(*split_or_refuse(left)) is None
    assert objects(stores).head(*split_or_refuse(kept))


@pytest.mark.parametrize(
    "content", [b"GIF89a" + bytes(40), b"\x89PNG\r\n\x1a\n" + bytes(40), b"<svg/>", b"MZ"]
)
def test_a_wrong_type_under_a_right_name_is_refused_and_removed(
    api: Server, stores: Settings, content: bytes
) -> None:
    refused = uploaded(api, content, "portrait.png")
    assert (refused.status_code, refused.json()["code"]) == (422, "media_refused")
    digest = hashlib.sha256(content).hexdigest()
    assert not [one for one in objects(stores).keys(stores.bucket_inputs) if digest in one]


def test_more_bytes_than_were_announced_do_not_arrive(api: Server, stores: Settings) -> None:
    """Whatever length the sender says, the store keeps nothing of it."""
    content = b"z" * 1000
    awaited = announced(api, content, "long.png").json()
    parts = iter([content, b"and more"])
    sent = httpx.put(awaited["url"], content=parts, headers=awaited["headers"])  # chunked: says no length
    assert sent.status_code >= 400
    assert not [one for one in objects(stores).keys(stores.bucket_inputs) if one.endswith("/long.png")]


def test_names_with_tricks_and_sizes_beyond_the_limit_are_refused(api: Server) -> None:
    tricks = (
        "../up.png",
        "..",
        "a\u202epng",
        "a\nb.png",
        "a\\b.png",
        "a/../../consent/b.png",
        "a\x00.png",
        "x" * 101,
    )
    for name in tricks:
        assert announced(api, b"x", name).status_code == 422, name
    for upload_id in (f"{'a' * 64}-../up.png", f"{'a' * 64}-..%2F..%2Fup.png", f"{'a' * 63}-up.png"):
        assert api.client.post(f"/uploads/{upload_id}/complete").status_code in (404, 422), upload_id
    assert announced(api, b"x", bytes=3 * 1024**3).json()["errors"][0]["field"] == "bytes"


def test_an_estimate_tells_what_a_request_takes_and_keeps_nothing(api: Server, portrait: str) -> None:
    script = '<speak>How long will <phoneme alphabet="ipa" ph="\u02c8\u026at">it</phoneme> take?</speak>'
    asked = {"script": script, "script_format": "ssml", "avatar": {"uri": portrait}}
    before = api.client.get("/renders").json()
    told = api.client.post("/estimates", json=asked | {"callback_url": "https://example.org/told"}).json()
    assert told["predicted_s"] >= told["predicted_gpu_s"] > 0
    assert [(one["said"], one["sounds"]) for one in told["script"]] == [
        ("How long will it take?", [[3, "\u02c8\u026at"]])
    ]
    assert set(told["stages"]) >= {"speech", "face", "lipsync", "composite"}
    assert api.client.get("/renders").json() == before
    faceless = uploaded(api, material.png(material.astronaut()[:, :, ::-1] * 0), "black.png").json()
    assert faceless["no_avatar"]


def test_voices_engines_and_avatars_are_listed(api: Server, portrait: str) -> None:
    api.client.post("/estimates", json={"script": "Hello.", "avatar": {"uri": portrait}})
    engines = {(one["kind"], one["name"]): one for one in api.client.get("/engines").json()}
    assert engines["speech", "hibari"]["installed"]
    assert {voice["engine"] for voice in api.client.get("/voices").json()} >= {"hibari"}
    assert api.client.get("/voices", params={"language": "tlh"}).json() == []
    avatars = [one for one in api.client.get("/avatars").json() if one["uri"] == portrait]
    assert [(one["kind"], one["width"]) for one in avatars] == [("image", 512)]
    picture = api.client.get(avatars[0]["picture"], follow_redirects=False)
    assert httpx.get(picture.headers["location"]).content.startswith(b"\x89PNG")
    unknown = api.client.get("/impact", params={"kind": "engine", "value": "nosuch"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "input")


def test_what_somebody_uploads_is_theirs_until_they_share_it(api: Server, stores: Settings) -> None:
    picture = material.png(material.astronaut()[4:])
    consented(stores, picture)
    own = uploaded(api, picture, "mine.png").json()["uri"]
    asked = {"script": "Whose face is this?", "avatar": {"uri": own}}
    assert api.client.post("/estimates", json=asked).is_success
    api.name = "ben"
    refused = api.order(asked, "ben-1")
    assert (refused.status_code, refused.json()["code"]) == (422, "reference_refused")
    assert "somebody else, who has not shared it" in refused.text
    assert api.client.post("/previews?kind=still", json=asked).json()["code"] == "reference_refused"
    assert own not in [one["uri"] for one in api.client.get("/avatars").json()]
    with pytest.raises(ReferenceRefused, match=r"avatar\.uri: .* not shared it"):
        pipeline.submit(stores, asked, run_id="by-airflow", caller="ben")
    upload_id = "-".join(own.rsplit("/", 2)[1:])
    # Who knows the digest has not the file.
    claimed = api.client.post(
        f"/uploads/{upload_id}/complete?shared=true"
    )  # knowing the digest is not enough
    assert claimed.json()["code"] == "not_uploaded"
    assert api.client.post("/verifications", json={"uri": own}).json()["code"] == "reference_refused"
    leave = {"material": own, "subject": "Ben", "licence": "CC0"}
    assert api.client.post("/consents", json=leave).json()["code"] == "reference_refused"
    api.name = "anna"
    assert api.client.post(f"/uploads/{upload_id}/complete?shared=true").is_success
    api.name = "ben"
    assert own in [one["uri"] for one in api.client.get("/avatars").json()]
    assert api.order(asked, "ben-2").status_code == 202


@pytest.mark.parametrize("field", inputs.NAMING)
def test_each_field_that_names_an_object_is_asked_whose_it_is(
    api: Server, stores: Settings, field: str
) -> None:
    uri = f"s3://{stores.bucket_inputs}/annas/{field}"
    with transaction(stores.pg_dsn) as db:
        inputs.own(db, uri, "anna", shared=False)
    asked = {"script": "Whose is this?", "avatar": {"uri": f"s3://{stores.bucket_inputs}/anybodys.png"}}
    asked |= {field: {"uri": uri, **NEEDED_WITH.get(field, {})}}
    with pytest.raises(ReferenceRefused, match=rf"^{field}\.uri: {uri} was uploaded by somebody else"):
        pipeline.submit(stores, asked, run_id=f"bens-{field}", caller="ben")
    api.name = "ben"
    for refused in (api.order(asked, f"bens-{field}"), api.client.post("/estimates", json=asked)):
        assert (refused.status_code, refused.json()["code"]) == (422, "reference_refused")


@pytest.mark.parametrize("field", inputs.NAMING)
def test_no_field_of_a_request_names_a_proof_of_a_consent(stores: Settings, field: str) -> None:
    proof = {"uri": f"s3://{stores.bucket_evidence}/proof.pdf", **NEEDED_WITH.get(field, {})}
    asked = {"script": "Mine.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/anybodys.png"}} | {
        field: proof
    }
    with pytest.raises(ReferenceRefused, match=rf"^{field}\.uri: .* is not in the bucket of inputs"):
        pipeline.submit(stores, asked, caller="ben")


def test_a_portrait_that_is_a_page_too_is_shown_as_a_picture(api: Server, stores: Settings) -> None:
    picture = material.png(material.astronaut()[9:]) + b"<script>alert(1)</script>"
    consented(stores, picture)
    assert uploaded(api, picture, "me.html", type="text/html").is_success
    digest = hashlib.sha256(picture).hexdigest()
    leads = api.client.get(f"/avatars/{digest}/picture", follow_redirects=False)
    assert httpx.get(leads.headers["location"]).headers["content-type"] == "image/jpeg"


def test_nobodys_private_copy_hides_a_likeness_from_whoever_else_may_use_it(
    api: Server, stores: Settings
) -> None:
    picture = material.png(material.astronaut()[6:])
    digest = hashlib.sha256(picture).hexdigest()
    consented(stores, picture)
    placed = objects(stores).put_if_absent(stores.bucket_inputs, "placed/everybodys.png", picture).uri
    inspect(stores, placed)

    def seen(name: str) -> list[str]:
        api.name = name
        return [one["uri"] for one in api.client.get("/avatars").json() if one["sha256"] == digest]

    assert seen("carla") == [placed]
    own = {}
    for name in ("anna", "ben"):
        api.name = name
        own[name] = uploaded(api, picture, "mine.png").json()["uri"]
    assert {name: seen(name) for name in own} == {name: [uri] for name, uri in own.items()}
    assert seen("carla") == [placed]
    assert api.client.get(f"/avatars/{digest}/picture", follow_redirects=False).is_redirect


@pytest.mark.parametrize("name", callers.OPERATORS)
def test_a_user_who_is_called_like_the_machine_sees_no_more_than_others(
    api: Server, stores: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    picture = material.png(material.astronaut()[5:])
    consented(stores, picture)
    annas = uploaded(api, picture, "annas.png").json()["uri"]
    asked = {"script": f"Whose face does {name} see?", "avatar": {"uri": annas}}
    api.name = name
    assert api.order(asked, f"as-{name}").json()["code"] == "reference_refused"
    assert annas not in [one["uri"] for one in api.client.get("/avatars").json()]
    # The same user through Airflow's own door, and as the one for whom a run is begun.
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "dags")
    from avatarlab_airflow import caller_of

    through_airflow = caller_of(SimpleNamespace(triggering_user_name=name, run_type="manual"))
    with pytest.raises(ReferenceRefused, match=r"avatar\.uri: .* not shared it"):
        pipeline.submit(stores, asked, run_id=f"by-{name}", caller=through_airflow)
    assert callers.of_user(callers.user_of(through_airflow)) == through_airflow == f"user:{name}"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("words.pls", b"<lexicon>", "lexicon: line 1"),
        ("words.PLS", b'<lexicon xmlns="x"/>', "lexicon: line 1: is not PLS"),
        ("rows.csv", b'script\n"Hi.', "rows.csv: line 2"),
        ("rows.jsonl", b'{"script": "Hi."}\n{\n', "rows.jsonl: line 2"),
        ("welcome.json", b'{"script": "Hi."}', "the template has no placeholder"),
    ],
)
def test_a_broken_lexicon_table_or_template_is_refused_and_removed(
    api: Server, stores: Settings, name: str, content: bytes, told: str
) -> None:
    refused = uploaded(api, content, name)
    assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    assert told in refused.text
    digest = hashlib.sha256(content).hexdigest()
    assert not [one for one in objects(stores).keys(stores.bucket_inputs) if digest in one]


def test_what_was_completed_before_is_not_removed(api: Server, stores: Settings) -> None:
    """Rules may have become stricter since; orders name it."""
    content = b'script\n"Kept.'
    digest = hashlib.sha256(content).hexdigest()
    awaited = announced(api, content, "kept.csv").json()
    assert httpx.put(awaited["url"], content=content, headers=awaited["headers"]).is_success
    (key,) = [one for one in objects(stores).keys(stores.bucket_inputs) if digest in one]
    with transaction(stores.pg_dsn) as db:
        inputs.own(db, f"s3://{stores.bucket_inputs}/{key}", api.name, shared=False)
    assert api.client.post(f"/uploads/{awaited['id']}/complete").status_code == 422
    assert objects(stores).head(stores.bucket_inputs, key)


def test_a_lexicon_and_a_template_arrive(api: Server) -> None:
    word = b"<lexeme><grapheme>Nguyen</grapheme><alias>win</alias></lexeme>"
    head = b'<lexicon xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" xml:lang="en" version="1.0">'
    for name, content in (
        ("words.pls", head + word + b"</lexicon>"), ("words.csv", b"word,say\nSQL,sequel\n"),
        ("short.csv", b"word,say,language\nSQL,sequel\n"),
        ("welcome.json", b'{"script": "Hi, {{name}}."}'),
    ):  # fmt: skip
        assert uploaded(api, content, name).json()["kind"] == "rows", name


def test_rows_that_somebody_uploads_are_theirs_too(api: Server, stores: Settings) -> None:
    rows = uploaded(api, b"script,avatar.uri\nHi.,s3://inputs/a.png\n", "rows.csv").json()["uri"]
    asked = BulkRequest(file=rows, dry_run=True)
    with pytest.raises(ReferenceRefused, match=r"file: .*/rows\.csv was uploaded by somebody else"):
        plan(stores, asked, bulk_id="bens", caller="ben")
    template = uploaded(api, b'{"script": "Hi, {{name}}."}', "hi.json").json()["uri"]
    asked_with = BulkRequest(file="s3://inputs/names.csv", template=template, dry_run=True)
    with pytest.raises(ReferenceRefused, match=r"template: .*/hi\.json was uploaded by somebody else"):
        plan(stores, asked_with, bulk_id="bens", caller="ben")
    assert plan(stores, asked, bulk_id="annas", caller="anna").problems == 1
