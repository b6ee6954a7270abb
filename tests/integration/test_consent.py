"""No likeness and no voice without consent, at admission and again at publication."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import pytest
import sqlalchemy as sa
from avatarlab_web.api.consents import take_back
from botocore.exceptions import ClientError
from click.testing import CliRunner
from kit.consented import consented, relied_on

from avatarlab_ops import cli, engines, graph, pipeline
from avatarlab_ops.bulk import contract, planning
from avatarlab_ops.cli import common
from avatarlab_ops.errors import (
    ConsentError,
    ReferenceRefused,
    RenderCancelled,
    RequestInvalid,
    TransientError,
)
from avatarlab_ops.housekeeping import Rules, evict
from avatarlab_ops.housekeeping.chore import Job
from avatarlab_ops.housekeeping.consents import ending
from avatarlab_ops.renders import status, withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import publish
from avatarlab_ops.states import RenderState
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import consents, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import consent, licences

from . import material

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "astronaut.png"


@pytest.fixture(scope="module")
def portraits(stores: Settings) -> dict[int, str]:
    """References of portraits with different bytes, by number; nobody has consented to their use."""
    found: dict[int, str] = {}
    for level in range(12):
        rgb = material.astronaut()
        rgb[0, 0] = level
        key = f"portrait-{level}.png"
        objects(stores).put_if_absent(stores.bucket_inputs, key, material.png(rgb))
        found[level] = f"s3://{stores.bucket_inputs}/{key}"
    return found


def _consent(stores: Settings, uri: str, **terms: Any) -> str:
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    found = objects(stores).head(bucket, key)
    assert found is not None
    assert found.sha256 is not None
    with transaction(stores.pg_dsn) as db:
        values = {"subject": "Jane Doe", "terms": "test"} | terms
        return consent.record(db, consent.Material("likeness", found.sha256, uri), **values)


def _away(*_: Any) -> Any:
    raise TransientError("the store is away")


def _composed(stores: Settings, uri: str) -> str:
    render_id = pipeline.submit(stores, material.asked(uri))
    for stage in graph.STAGES[:-1]:
        pipeline.run_stage(stores, render_id, stage)
    return render_id


def _shown(stores: Settings, render_id: str) -> list[str]:
    keys = objects(stores).keys(stores.bucket_outputs, f"renders/{render_id}/")
    return [key.rpartition("/")[2] for key in keys]


def _versions(stores: Settings, render_id: str) -> dict[str, str]:
    """Version id by key of whatever is left of a render, shown or not."""
    found = objects(stores).client.list_object_versions(
        Bucket=stores.bucket_outputs, Prefix=f"renders/{render_id}/"
    )
    whole = (*found.get("Versions", ()), *found.get("DeleteMarkers", ()))
    return {one["Key"]: one["VersionId"] for one in whole}


def test_an_unknown_likeness_is_refused_before_anyone_looks_at_it(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatarlab_ops.stages.look.look", lambda *_: pytest.fail("the face was looked at"))
    render_id = pipeline.submit(stores, material.asked(portraits[0]))
    with pytest.raises(ConsentError, match=rf"consent add {portraits[0]} --subject"):
        pipeline.run_stage(stores, render_id, "admit")
    ended = status.of(stores, render_id)
    assert (ended.state, ended.error_code) == ("failed", "consent")


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"valid_from": records.now() + timedelta(days=1)}, "begins on"),
        ({"scope": consent.Scope(languages=("de-DE",))}, "covers de-DE, not en-US"),
        ({"scope": consent.Scope(labels={"campaign": "spring"})}, "labelled campaign=spring"),
    ],
)
def test_a_consent_to_something_else_does_not_do(
    stores: Settings, portraits: dict[int, str], terms: dict[str, Any], said: str
) -> None:
    _consent(stores, portraits[1], **terms)
    with pytest.raises(ConsentError, match=said):
        pipeline.render(stores, material.asked(portraits[1], labels={"campaign": "autumn"}))


def test_a_scope_lets_through_what_it_covers(stores: Settings, portraits: dict[int, str]) -> None:
    _consent(stores, portraits[2], scope=consent.Scope(("en",), {"campaign": "spring"}))
    asked = material.asked(portraits[2], labels={"campaign": "spring", "who": "x"})
    assert pipeline.run_stage(stores, pipeline.submit(stores, asked), "admit").pending


def _ending(stores: Settings) -> list[str]:
    """What housekeeping says of consents that soon end."""
    return ending(Job(stores, Rules(), apply=False, alive=lambda _: None)).notes


def test_a_consent_that_expires_in_mid_run_publishes_nothing(
    stores: Settings, portraits: dict[int, str]
) -> None:
    consent_id = _consent(stores, portraits[3], valid_until=records.now() + timedelta(days=1))
    render_id = _composed(stores, portraits[3])
    [soon] = _ending(stores)
    assert soon.startswith(f"{consent_id}, likeness of ")
    assert soon.endswith("; 0 videos are shown by it")
    with transaction(stores.pg_dsn) as db:
        consents.find(db, consent_id).valid_until = records.now()
    assert _ending(stores) == [], "what has ended is no warning"
    with pytest.raises(ConsentError, match="expired on"):
        pipeline.run_stage(stores, render_id, "publish")
    assert _shown(stores, render_id) == []
    assert status.of(stores, render_id).error_code == "consent"


def test_revoking_while_the_composite_runs_stops_it(stores: Settings, portraits: dict[int, str]) -> None:
    consent_id = _consent(stores, portraits[4])
    render_id = pipeline.submit(
        stores, material.asked(portraits[4], script="This one is stopped in the middle.")
    )
    for stage in graph.STAGES[:-2]:
        pipeline.run_stage(stores, render_id, stage)
    works, told = threading.Event(), threading.Event()

    def report(done: int, total: int, unit: str) -> None:
        works.set()
        assert told.wait(60)

    def revoke() -> None:
        assert works.wait(60)
        met.append(withdrawal.revoke(stores, consent_id, "changed her mind"))
        told.set()

    met: list[withdrawal.Revoked] = []
    other = threading.Thread(target=revoke)
    other.start()
    with pytest.raises(RenderCancelled, match="changed her mind"):
        pipeline.run_stage(stores, render_id, "composite", report=report)
    other.join()
    assert met[0].stopped == (render_id,)
    with pytest.raises(RenderCancelled):
        pipeline.run_stage(stores, render_id, "publish")
    ended = status.of(stores, render_id)
    assert (ended.state, ended.error_code) == ("failed", "consent")
    assert _shown(stores, render_id) == []
    outbox.deliver(stores)  # as the relay does
    assert documents(stores).find("lineage_events", f"{render_id}:FAIL") is not None


def test_revocation_and_publication_never_both_win(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revocation that comes while the publishing transaction is open waits, and lists the video."""
    consent_id = _consent(stores, portraits[5])
    render_id = _composed(stores, portraits[5])
    found: list[withdrawal.Revoked] = []
    revoking = threading.Thread(
        target=lambda: found.append(withdrawal.revoke(stores, consent_id, "too late"))
    )
    tell = publish.events.tell

    def tell_meanwhile(*arguments: Any) -> None:
        revoking.start()
        revoking.join(0.5)
        assert revoking.is_alive()
        tell(*arguments)

    monkeypatch.setattr(publish.events, "tell", tell_meanwhile)
    pipeline.run_stage(stores, render_id, "publish")
    revoking.join()
    assert found[0].videos == (render_id,)
    assert found[0].stopped == ()
    assert status.of(stores, render_id).state == "published"


def test_a_revocation_just_before_the_commit_takes_the_files_back(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    consent_id = _consent(stores, portraits[6])
    render_id = _composed(stores, portraits[6])
    keep = publish._keep

    def keep_and_revoke(*arguments: Any) -> Any:
        kept = keep(*arguments)
        assert withdrawal.revoke(stores, consent_id, "just in time").stopped == (render_id,)
        return kept

    monkeypatch.setattr(publish, "_keep", keep_and_revoke)
    with pytest.raises(RenderCancelled, match="just in time"):
        pipeline.run_stage(stores, render_id, "publish")
    assert _versions(stores, render_id) == {}


def test_a_try_that_comes_too_late_leaves_the_files_of_what_is_published(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    consent_id, keep = _consent(stores, portraits[9]), publish._keep
    render_id = _composed(stores, portraits[9])

    def keep_and_lose(*arguments: Any) -> Any:
        kept = keep(*arguments)
        with transaction(stores.pg_dsn) as db:  # another try was faster
            assert records.end_render(db, render_id, RenderState.PUBLISHED)
        withdrawal.revoke(stores, consent_id, "later")
        return kept

    monkeypatch.setattr(publish, "_keep", keep_and_lose)
    pipeline.run_stage(stores, render_id, "publish")
    assert {"video.mp4", "manifest.json"} <= set(_shown(stores, render_id))


def test_a_revocation_that_is_repeated_removes_what_the_store_kept(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    consent_id = _consent(stores, portraits[10])
    render_id = pipeline.render(stores, material.asked(portraits[10])).render_id
    with monkeypatch.context() as patch:
        patch.setattr(withdrawal, "objects", _away)
        assert take_back(stores, consent_id, "no", withdraw=True).videos == [render_id]
        assert take_back(stores, consent_id, "no", withdraw=True).videos == [render_id]
    assert "video.mp4" in _shown(stores, render_id)
    met = take_back(stores, consent_id, "no", withdraw=True)
    assert (met.videos, met.withdrawn) == ([], [])
    assert _shown(stores, render_id) == ["manifest.json"]


def test_what_an_eviction_that_broke_off_left_goes_with_the_next(
    stores: Settings, portraits: dict[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    consent_id = _consent(stores, portraits[11])
    render_id = pipeline.render(stores, material.asked(portraits[11])).render_id
    with transaction(stores.pg_dsn) as db:
        own = records.artifacts_of(db, render_id)
        sha256 = consents.find(db, consent_id).material
    assert withdrawal.withdraw(stores, render_id, "no")
    with monkeypatch.context() as patch:
        patch.setattr(evict, "_sweep", _away)
        with pytest.raises(TransientError):
            evict.of_material(stores, sha256)
    evict.of_material(stores, sha256)
    for stage in ("face", "lipsync", "composite", "publish"):
        place = own[stage].key.removesuffix("artifact.json")
        assert not list(objects(stores).keys(stores.bucket_artifacts, place)), stage


def test_a_withdrawn_video_is_gone_and_can_be_explained(stores: Settings, portraits: dict[int, str]) -> None:
    consent_id = _consent(stores, portraits[7])
    made = pipeline.render(stores, material.asked(portraits[7], idempotency_key="withdrawn"))
    assert withdrawal.revoke(stores, consent_id, "no more").videos == (made.render_id,)
    before = _versions(stores, made.render_id)
    assert withdrawal.withdraw(stores, made.render_id, "no more")
    assert {key.rpartition("/")[2] for key in _versions(stores, made.render_id)} == {"manifest.json"}
    for key, version in before.items():
        if not key.endswith("manifest.json"):
            with pytest.raises(ClientError):
                objects(stores).client.get_object(Bucket=stores.bucket_outputs, Key=key, VersionId=version)
    assert not withdrawal.withdraw(stores, made.render_id, "again")
    assert _shown(stores, made.render_id) == ["manifest.json"]
    _consent(stores, portraits[8])
    likeness = pipeline.render(
        stores, material.asked(portraits[8])
    ).render_id  # shares the script, not the likeness
    with transaction(stores.pg_dsn) as db:
        own, others = (records.artifacts_of(db, render_id) for render_id in (made.render_id, likeness))
        kept = objects(stores)
        sha256 = consents.find(db, consent_id).material
    assert evict.of_material(stores, sha256) == (4, 0)
    left = {stage: kept.head(stores.bucket_artifacts, one.key) is not None for stage, one in own.items()}
    assert left == {"speech": True, "face": False, "lipsync": False, "composite": False, "publish": False}
    assert all(kept.head(stores.bucket_artifacts, one.key) for one in others.values())
    seen = status.of(stores, made.render_id)
    assert (seen.state, seen.withdrawn_reason, seen.video_uri) == ("published", "no more", None)
    assert status.published(stores, made.render_id) is None
    event = documents(stores).find("lineage_events", f"{made.render_id}:WITHDRAWN")
    assert event is not None
    assert event["run"]["facets"]["avatarlab_withdrawal"]["reason"] == "no more"
    manifest = documents(stores).find("manifests", made.render_id)
    assert manifest is not None
    assert [one["id"] for one in manifest["consents"]] == [consent_id, "licence-voice-hibari-heart"]
    with pytest.raises(ConsentError, match="withdrawn"):
        pipeline.render(stores, material.asked(portraits[7], idempotency_key="withdrawn"))


def test_the_demo_and_every_built_in_voice_carry_their_licence(stores: Settings) -> None:
    known = {(one.kind, one.material) for one in licences.licensed()}
    for name in engines.names("speech"):
        voices = engines.info("speech", name).voice_names
        assert {("voice", f"{name}/{voice}") for voice in voices} <= known
    objects(stores).put_if_absent(stores.bucket_inputs, "demo/astronaut.png", DEMO)
    asked = material.asked(f"s3://{stores.bucket_inputs}/demo/astronaut.png")
    assert pipeline.run_stage(stores, pipeline.submit(stores, asked), "admit").pending


def test_a_revoked_licence_stays_revoked(fresh: Settings, stores: Settings) -> None:
    voice = "licence-voice-hibari-heart"
    try:
        withdrawal.revoke(stores, voice, "not in this house")
        pipeline.prepare_stores(fresh)
        objects(stores).put_if_absent(stores.bucket_inputs, "demo/astronaut.png", DEMO)
        with pytest.raises(ConsentError, match=r"not in this house.*--kind voice"):
            pipeline.render(stores, material.asked(f"s3://{stores.bucket_inputs}/demo/astronaut.png"))
    finally:
        with transaction(stores.pg_dsn) as db:
            db.execute(sa.update(m.Consent).where(m.Consent.id == voice).values(revoked_at=None))


def test_a_consent_without_proof_or_subject_is_no_consent(stores: Settings) -> None:
    likeness = consent.Material("likeness", "0" * 64, "s3://x/y")
    for change in ({"terms": None}, {"subject": " "}, {"valid_until": records.now() - timedelta(days=1)}):
        with pytest.raises(RequestInvalid), transaction(stores.pg_dsn) as db:
            consent.record(db, likeness, **({"subject": "Jane", "terms": "x"} | change))


def test_the_same_consent_twice_is_one_record(stores: Settings) -> None:
    first = consented(stores, b"a face")
    assert consented(stores, b"a face") == first
    withdrawal.revoke(stores, first, "over")
    assert consented(stores, b"a face") != first


def test_evidence_of_earlier_versions_is_shown_but_never_used(stores: Settings) -> None:
    stored = objects(stores).put_if_absent(stores.bucket_inputs, "consent/123/release.png", b"I agree.")
    consent_id = _consent(stores, stored.uri, terms=None, document=(stored.uri, stored.sha256))
    with transaction(stores.pg_dsn) as db:
        assert consents.find(db, consent_id).document_uri == stored.uri
    with pytest.raises(ReferenceRefused, match="is kept for proofs of consent"):
        pipeline.submit(stores, material.asked(stored.uri))


def test_command_line_from_a_picture_to_its_withdrawal(
    stores: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "stores", lambda: stores)

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli.main, list(words), catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    rgb = material.astronaut()
    rgb[0, 0] = 99
    portrait, release = tmp_path / "jane.png", tmp_path / "release.pdf"
    cv2.imwrite(str(portrait), rgb[..., ::-1])
    release.write_bytes(b"%PDF-1.7 I agree. Jane Doe")
    subject = ("--consent-subject", "Jane Doe")
    assert CliRunner().invoke(cli.main, ["upload", str(portrait), *subject]).exit_code == 2
    bare = CliRunner().invoke(cli.main, ["upload", str(portrait)])
    assert "no consent is recorded: until then it is refused as a likeness" in bare.stderr
    assert f"avatarlab consent add {bare.stdout.strip()} --subject" in bare.stderr
    assert "as an avatar" not in bare.stderr
    cv2.imwrite(str(tmp_path / "wall.png"), material.astronaut()[:, :, ::-1] * 0)
    wall = CliRunner().invoke(cli.main, ["upload", str(tmp_path / "wall.png")])
    assert (wall.exit_code, "as an avatar it will be refused: " in wall.stderr) == (0, True)
    uri = run("upload", str(portrait), *subject, "--evidence", str(release)).strip()
    assert uri == bare.stdout.strip()
    render_id = pipeline.submit(stores, material.asked(uri))
    pipeline.run_stage(stores, render_id, "admit")
    mine = relied_on(stores, render_id)["likeness"]
    told = json.loads(run("consent", "show", mine))
    assert (told["subject"], told["state"], told["renders"]) == ("Jane Doe", "valid", {render_id: "running"})
    bucket, key = told["document_uri"].removeprefix("s3://").split("/", 1)
    assert bucket == stores.bucket_evidence
    assert objects(stores).read(bucket, key) == release.read_bytes()
    with pytest.raises(ReferenceRefused, match=r"^avatar\.uri: .* is not in the bucket of inputs"):
        pipeline.submit(stores, material.asked(told["document_uri"]))
    with pytest.raises(ReferenceRefused, match="is not in the bucket of inputs"):
        planning.plan(
            stores,
            contract.BulkRequest.model_validate({"file": told["document_uri"]}),
            bulk_id="e",
            caller="x",
        )
    second = run("consent", "add", uri, "--subject", "Jane [/bold]", "--licence", "own picture").strip()
    revoked = CliRunner().invoke(cli.main, ["consent", "revoke", mine, "--unpublish"])
    assert f"stopped   {render_id}" in revoked.stdout
    assert second in revoked.stderr
    assert "[/bold]" in CliRunner().invoke(cli.main, ["consent", "list"]).stderr
    listed = {one["id"]: one for one in json.loads(run("consent", "list", "--format", "json"))}
    assert (listed[mine]["subject"], listed[second]["state"]) == ("Jane Doe", "valid")
