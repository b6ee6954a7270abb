"""Content credentials of published videos: what they say, what breaks them, one signed file or none."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import c2pa
import pytest
from kit import certificates, time_stamps

from avatarlab_ops import pipeline
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.graph import STAGES
from avatarlab_ops.media.credentials import read
from avatarlab_ops.plan import Plan
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import inspection
from avatarlab_ops.stores.catalog import records, tables, transaction
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import credentials, signing

from . import material

SCRIPT = "I am signed."  # one for all: everything but publish is done once
SMALL: Json = {"resolution": "360p", "aspect": "1:1"}


def _asked(portrait: str, script: str, **output: Any) -> Json:
    background = {"kind": "transparent"} if output else {"kind": "original"}
    return {"script": script, "avatar": {"uri": portrait}, "output": SMALL | output, "background": background}


def _fetched(stores: Settings, made: status.Published, folder: Path) -> Path:
    for name, uri in made.files.items():
        content = objects(stores).read(*split_or_refuse(uri))
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def mp4(stores: Settings, portrait: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a published MP4."""
    made = pipeline.render(stores, _asked(portrait, SCRIPT))
    return _fetched(stores, made, tmp_path_factory.mktemp("mp4"))


@pytest.fixture(scope="module")
def webm(stores: Settings, portrait: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = pipeline.render(stores, _asked(portrait, "I am, too.", container="webm"))
    return _fetched(stores, made, tmp_path_factory.mktemp("webm"))


@pytest.fixture(scope="module")
def anchor(stores: Settings) -> str:
    who = signing.identity(stores.home)
    assert who is not None
    return who.anchor


def _told(path: Path) -> Json:
    """All that the credentials say, as the C2PA library reads them."""
    with path.open("rb") as file, c2pa.Reader("video/mp4", file) as reader:
        return dict(json.loads(reader.json()))


def _plan(stores: Settings, published: Path) -> Plan:
    render_id = json.loads((published / "manifest.json").read_text())["render_id"]
    with transaction(stores.pg_dsn) as db:
        return Plan.model_validate(db.get_one(tables.Render, render_id).plan)


def test_an_mp4_says_what_it_is_and_which_render_made_it(mp4: Path, stores: Settings, anchor: str) -> None:
    manifest, found = json.loads((mp4 / "manifest.json").read_text()), read(mp4 / "video.mp4", anchor=anchor)
    assert found is not None
    assert (found.signed, found.trusted, found.intact, found.failures) == (True, True, True, ())
    assert found.render["render_id"] == manifest["render_id"]
    assert {"provider", "system", "system_version", "created"} <= set(found.render)
    assert manifest["credentials"]["manifest"] == found.manifest
    assert any("development certificate" in note for note in manifest["credentials"]["notes"])
    assert any("no time stamp" in note for note in manifest["credentials"]["notes"])


def test_the_credentials_hold_no_face_no_name_and_no_word_of_the_script(mp4: Path) -> None:
    store, manifest = _told(mp4 / "video.mp4"), json.loads((mp4 / "manifest.json").read_text())
    [active] = store["manifests"].values()
    avatar = manifest["inputs"]["avatar"]
    [ingredient] = active["ingredients"]
    assert ingredient["instance_id"] == f"urn:sha256:{avatar['sha256']}"
    assert "thumbnail" not in json.dumps(store)
    for private in (avatar["uri"], manifest["request"]["body"]["script"], manifest["caller"]):
        assert private not in json.dumps(store)
    [action] = next(a for a in active["assertions"] if a["label"] == "c2pa.actions.v2")["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")


def test_an_input_keeps_the_marks_that_it_came_with(mp4: Path, stores: Settings, tmp_path: Path) -> None:
    """A published video as the next one's avatar: whose it is, is told and named in what is made of it."""
    for name, track, fits in (
        ("video.mp4", b"VideoHandler", "fit"),
        ("other.mp4", b"OtherHandler", "do not fit"),
    ):
        (tmp_path / name).write_bytes((mp4 / "video.mp4").read_bytes().replace(b"VideoHandler", track))
        source, _, _ = inspection.inspect(stores, material.upload(stores, f"marked/{name}", tmp_path / name))
        assert source.marks
        assert source.marks.manifest == _told(mp4 / "video.mp4")["active_manifest"]
        assert any(note.endswith(f"{fits} its bytes.") for note in source.notes), source.notes
        plan = _plan(stores, mp4).model_copy(update={"avatar": source})
        [ingredient] = credentials.claim("1", plan, "Us")["ingredients"]
        assert source.marks.manifest in ingredient["description"]
        assert source.marks.issuer not in ingredient["description"]


def test_what_a_stranger_wrote_into_credentials_is_harmless(
    mp4: Path, stores: Settings, tmp_path: Path
) -> None:
    odd = "\x1b[31mCam\x00era\u202e\nok"
    claimed = credentials.claim("1", _plan(stores, mp4), odd) | {"claim_generator_info": [{"name": odd}]}
    who = signing.identity(stores.home)
    assert who
    files, _ = credentials.sign(mp4 / "video.mp4", tmp_path, claimed, who)
    source, _, _ = inspection.inspect(stores, material.upload(stores, "marked/odd.mp4", files["video.mp4"]))
    assert source.marks
    assert r"\x1b[31mCam\x00era" in source.marks.generator
    assert all(note.isprintable() for note in source.notes)


def test_a_changed_file_is_told_and_a_remux_loses_its_credentials(mp4: Path, tmp_path: Path) -> None:
    content = bytearray((mp4 / "video.mp4").read_bytes())
    content[-len(content) // 3] ^= 1
    (changed := tmp_path / "changed.mp4").write_bytes(content)
    found = read(changed)
    assert found is not None
    assert (found.signed, found.intact) == (True, False)
    assert "assertion.bmffHash.mismatch" in found.failures
    assert read(_remux(mp4 / "video.mp4", tmp_path / "remux.mp4")) is None


def _remux(source: Path, target: Path) -> Path:
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return target


def test_a_webm_has_its_credentials_beside_it(webm: Path, anchor: str, tmp_path: Path) -> None:
    sidecar = (webm / "credentials.c2pa").read_bytes()
    found = read(webm / "video.webm", sidecar, anchor=anchor)
    assert found is not None
    assert (found.signed, found.trusted, found.intact) == (True, True, True)
    content = bytearray((webm / "video.webm").read_bytes())
    content[len(content) // 2] ^= 1
    (changed := tmp_path / "changed.webm").write_bytes(content)
    assert not read(changed, sidecar).intact  # type: ignore[union-attr]
    assert read(webm / "video.webm") is None


def test_the_private_key_is_nowhere_but_in_its_file(mp4: Path, stores: Settings) -> None:
    folder = stores.home / signing.FOLDER
    key = (folder / signing.KEY).read_text().splitlines()[1].encode()
    assert (folder.stat().st_mode & 0o777, (folder / signing.KEY).stat().st_mode & 0o777) == (0o700, 0o600)
    assert not any(key in path.read_bytes() for path in mp4.iterdir())
    for bucket in stores.buckets:
        for name in objects(stores).keys(bucket):
            assert key not in objects(stores).read(bucket, name)


# ── Whatever dies, one signed file or none ─────────────────────────────────────────────────

DYING = """
import importlib, json, os, signal, sys
from pathlib import Path
from avatarlab_ops import pipeline
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import prints, publish
def publish_until(step):
    module, name = step.rsplit(".", 1)
    module = importlib.import_module(module)
    real = getattr(module, name)
    def last(*given, **named):
        real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(module, name, last)
    pipeline.run_stage(settings, sys.argv[1], "publish")
told = json.loads(sys.stdin.readline())
settings = Settings(**told | {"home": Path(told["home"])})
for step in sys.stdin:
    if not (child := os.fork()):
        publish_until(step.strip())
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
STEPS = (
    "avatarlab_ops.trust.credentials._write",
    "avatarlab_ops.trust.credentials._check",
    "avatarlab_ops.trust.credentials.sign",
    "avatarlab_ops.stores.artifacts._put",
    "avatarlab_ops.stores.artifacts._decide",
    "avatarlab_ops.stages.prints.keep_picture_print",
    "avatarlab_ops.stages.publish._place",
    "avatarlab_ops.stages.publish._keep",
    "avatarlab_ops.stages.publish._commit",
)


@contextmanager
def _dying(stores: Settings, render_id: str) -> Iterator[Callable[[str], int]]:
    """Publishes in a process that dies after a step, and tells how that ended."""
    command = [sys.executable, "-c", DYING, render_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin
        assert parent.stdout

        def ask(line: str) -> None:
            print(line, file=parent.stdin, flush=True)

        def die_after(step: str) -> int:
            ask(step)
            return int(parent.stdout.readline())  # type: ignore[union-attr]

        ask(json.dumps(asdict(stores) | {"home": str(stores.home)}))
        yield die_after


def _composed(stores: Settings, asked: Json) -> str:
    render_id = pipeline.submit(stores, asked)
    for stage in STAGES[:-1]:
        pipeline.run_stage(stores, render_id, stage)
    return render_id


def _shown(stores: Settings, render_id: str) -> bytes | None:
    key = f"renders/{render_id}/video.mp4"
    if objects(stores).head(stores.bucket_outputs, key) is None:
        return None
    return objects(stores).read(stores.bucket_outputs, key)


def test_publish_killed_at_any_step_leaves_one_signed_file_or_none(
    stores: Settings, portrait: str, anchor: str, tmp_path: Path
) -> None:
    render_id = _composed(stores, _asked(portrait, SCRIPT))
    seen = set[str]()
    with _dying(stores, render_id) as die_after:
        for step in STEPS:
            assert die_after(step) == -signal.SIGKILL
            ended = step.endswith("_commit")
            assert status.of(stores, render_id).state == ("published" if ended else "running")
            if (shown := _shown(stores, render_id)) is not None:
                seen.add(hashlib.sha256(shown).hexdigest())
    pipeline.run_stage(stores, render_id, "publish")
    video = _shown(stores, render_id)
    assert video is not None
    assert seen == {hashlib.sha256(video).hexdigest()}
    (path := tmp_path / "video.mp4").write_bytes(video)
    found = read(path, anchor=anchor)
    assert found is not None
    assert (found.trusted, found.intact) == (True, True)
    with transaction(stores.pg_dsn) as db:
        assert records.published_files(db, render_id)["video.mp4"].sha256 in seen


# ── Who may not sign ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("missing", r"chain\.pem cannot be read"),
        ("expired", r"the certificate of Yesterday Ltd is valid from .* not now: have it renewed"),
        ("another's key", "is not that of the first certificate"),
    ],
)
def test_without_a_certificate_that_does_a_render_is_refused_before_it_begins(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, what: str, told: str
) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    monkeypatch.setenv("AVATARLAB_SIGNING_CERTIFICATE", str(chain))
    monkeypatch.setenv("AVATARLAB_SIGNING_KEY", str(key))
    if what != "missing":
        certificate, own = certificates.expired()
        chain.write_bytes(certificate)
        key.write_bytes(own if what == "expired" else certificates.expired()[1])
    render_id = pipeline.submit(stores, _asked(portrait, f"Who am I? My certificate is {what}."))
    with pytest.raises(InputError, match=told):
        pipeline.run_stage(stores, render_id, "admit")
    assert status.of(stores, render_id).state == "failed"
    assert list(objects(stores).keys(stores.bucket_outputs, f"renders/{render_id}/")) == []


def test_nothing_is_published_without_the_time_stamp_that_was_asked_for(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_id = _composed(stores, _asked(portrait, SCRIPT))
    monkeypatch.setenv("AVATARLAB_TIMESTAMP_URL", "http://127.0.0.1:9/")
    with pytest.raises(TransientError, match=r"time-stamp authority http://127\.0\.0\.1:9/"):
        pipeline.run_stage(stores, render_id, "publish")
    assert list(objects(stores).keys(stores.bucket_outputs, f"renders/{render_id}/")) == []
    monkeypatch.delenv("AVATARLAB_TIMESTAMP_URL")
    pipeline.run_stage(stores, render_id, "publish")
    assert status.of(stores, render_id).state == "published"


def test_a_time_stamp_authority_s_word_is_in_the_video(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    render_id = _composed(stores, _asked(portrait, SCRIPT))
    with time_stamps.authority(tmp_path) as address:
        monkeypatch.setenv("AVATARLAB_TIMESTAMP_URL", address)
        pipeline.run_stage(stores, render_id, "publish")
    made = status.published(stores, render_id)
    assert made
    folder = _fetched(stores, made, tmp_path)
    kept = json.loads((folder / "manifest.json").read_text())["credentials"]
    found, told = read(folder / "video.mp4"), _told(folder / "video.mp4")
    assert found
    assert found.intact
    stamped = datetime.fromisoformat(found.signed_at or "")
    assert abs(datetime.now(UTC) - stamped) < timedelta(minutes=5)
    assert kept["time_stamp"] == found.signed_at
    assert not any("no time stamp" in note for note in kept["notes"])
    [stamp] = [one for one in told["validation_results"]["activeManifest"]["success"]
               if one["code"] == "timeStamp.validated"]  # fmt: skip
    assert time_stamps.NAME in stamp["explanation"]


def test_unsigned_only_where_the_policy_says_so_and_told(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AVATARLAB_CONTENT_CREDENTIALS", "off")
    made = pipeline.render(stores, _asked(portrait, SCRIPT))
    folder = _fetched(stores, made, tmp_path)
    assert read(folder / "video.mp4") is None
    assert (
        "no content credentials"
        in json.loads((folder / "manifest.json").read_text())["credentials"]["notes"][0]
    )
