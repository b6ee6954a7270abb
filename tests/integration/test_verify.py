"""What `verify` says of published files, of changed ones and of strangers'."""

from __future__ import annotations

import hashlib
import json
import zipfile
from base64 import b64decode
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from avatarlab_ops import cli, engines, pipeline
from avatarlab_ops.cli import common
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.errors import InputError, MediaRefused
from avatarlab_ops.lineage import evidence
from avatarlab_ops.media.audio import resample, write_wav, write_wav_blocks
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.plan import Plan
from avatarlab_ops.progress import silent
from avatarlab_ops.renders import status, withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import prints, records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog.tables import Tombstone
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust import credentials, seal, signing
from avatarlab_ops.trust.verify import verify

from . import material
from .api_server import serving


@pytest.fixture(scope="module")
def made(stores: Settings, portrait: str) -> status.Published:
    return pipeline.render(stores, _asked(portrait))


def _asked(portrait: str, **output: Any) -> dict[str, Any]:
    shape = {"resolution": "360p", "aspect": "1:1"} | output
    background = {"kind": "transparent"} if output else {"kind": "original"}
    asked = {
        "script": "Do you know me? I have been sent through many hands.",
        "avatar": {"uri": portrait},
        "output": shape,
    }
    return asked | {"background": background}


def _file(stores: Settings, made: status.Published, folder: Path, name: str = "video.mp4") -> Path:
    path = folder / name
    path.write_bytes(objects(stores).read(*split_or_refuse(made.files[name])))
    return path


def test_a_published_file_is_known_by_its_digest(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    for name in made.files:
        found = verify(stores, _file(stores, made, tmp_path, name))
        assert (found.verdict, found.render_id) == ("published", made.render_id), name


def test_a_changed_file_is_known_by_its_credentials(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    path = _file(stores, made, tmp_path)
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)
    found = verify(stores, path)
    assert (found.verdict, found.render_id) == ("changed", made.render_id)
    assert "assertion.bmffHash.mismatch" in found.layers[-1].says


def test_the_api_tells_it_of_an_uploaded_file(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    content = bytearray(_file(stores, made, tmp_path).read_bytes())
    content[-1000] ^= 1
    objects(stores).put_if_absent(stores.bucket_inputs, "uploads/held/video.mp4", bytes(content))
    with serving(stores) as api:

        def asked(uri: str) -> Any:
            return api.client.post("/verifications", json={"uri": uri})

        told = asked(f"s3://{stores.bucket_inputs}/uploads/held/video.mp4").json()
        assert (told["verdict"], told["render_id"]) == ("changed", made.render_id)
        assert told["says"] == "It was made here and changed after it was signed"
        for elsewhere in (made.video_uri, f"s3://{stores.bucket_inputs}/uploads/held/none.mp4"):
            refused = asked(elsewhere)
            assert (refused.status_code, refused.json()["code"]) == (422, "reference_refused")


def test_a_box_that_is_not_signed_changes_no_word(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    path = _file(stores, made, tmp_path)
    path.write_bytes(path.read_bytes() + b"\x00\x00\x00\x0cfreexxxx")
    found = verify(stores, path)
    assert (found.verdict, found.render_id) == ("unchanged", made.render_id)


def _again(
    source: Path, target: Path, codec: str, bit_rate: int, *, picture: bool, begin_s: float = 0
) -> Path:
    """Encoded once more, the picture at half the size or left out, from `begin_s` on."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        sound = made.add_stream(codec, rate=48_000, bit_rate=bit_rate)
        shown = made.add_stream("libx264", rate=25, options={"crf": "28"}) if picture else None
        if shown:
            shown.width, shown.height, shown.pix_fmt = 180, 180, "yuv420p"
        blocks = av.AudioResampler(sound.format, sound.layout, 48_000, frame_size=1024)
        for frame in given.decode():
            if isinstance(frame, av.AudioFrame) and frame.time >= begin_s:
                frame.pts = None
                made.mux([packet for block in blocks.resample(frame) for packet in sound.encode(block)])
            elif shown and isinstance(frame, av.VideoFrame):
                made.mux(shown.encode(frame.reformat(180, 180, "yuv420p")))
        made.mux([*sound.encode(None), *(shown.encode(None) if shown else ())])
    return target


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("half.mp4", {"codec": "aac", "bit_rate": 64_000, "picture": True}),
        ("sound.m4a", {"codec": "aac", "bit_rate": 48_000, "picture": False, "begin_s": 0.31}),
    ],
)
def test_what_was_encoded_again_is_known_by_its_sound(
    stores: Settings, made: status.Published, tmp_path: Path, name: str, how: dict[str, Any]
) -> None:
    found = verify(stores, _again(_file(stores, made, tmp_path), tmp_path / name, **how))
    assert (found.verdict, found.render_id) == ("recognised", made.render_id), found
    assert {layer.name: layer.recognised for layer in found.layers} == {
        "digest": False, "content credentials": False, "sound": True, "watermark": True,
        "picture": how["picture"],
    }  # fmt: skip


def test_what_was_sped_up_is_known_by_its_sound(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    sound = read_sound(_file(stores, made, tmp_path), 48_000, max_s=60)
    write_wav(tmp_path / "fast.wav", resample(sound, 105, 100), 48_000)
    found = verify(stores, tmp_path / "fast.wav")
    assert (found.verdict, found.render_id) == ("recognised", made.render_id)
    assert "104.5% of its speed" in found.layers[2].says


def _joined(picture: Path, sound: Path | None, target: Path) -> Path:
    """The picture of one file and the sound of another, or none, as they are."""
    with (
        av.open(str(picture)) as one,
        av.open(str(sound or picture)) as other,
        av.open(str(target), "w") as made,
    ):
        taken = [one.streams.video[0]] + ([other.streams.audio[0]] if sound else [])
        for stream, new in [(stream, made.add_stream_from_template(stream)) for stream in taken]:
            for packet in stream.container.demux(stream):
                if packet.dts is not None:
                    packet.stream = new
                    made.mux(packet)
    return target


def _backwards(source: Path, target: Path) -> Path:
    """Its sound, backwards."""
    write_wav(target, read_sound(source, 48_000, max_s=60)[::-1].copy(), 48_000)
    return target


def test_a_picture_whose_sound_was_exchanged_or_taken_away_is_known(
    stores: Settings, made: status.Published, tmp_path: Path
) -> None:
    ours = _file(stores, made, tmp_path)
    dubbed = _joined(ours, _backwards(ours, tmp_path / "other.wav"), tmp_path / "dubbed.mkv")
    found = verify(stores, dubbed)
    assert (found.verdict, found.render_id) == ("other_sound", made.render_id), found
    assert "its sound is not" in found.says
    found = verify(stores, _joined(ours, None, tmp_path / "mute.mp4"))
    assert (found.verdict, found.render_id) == ("recognised", made.render_id), found
    assert "Its picture is that of a video of ours; nothing can be said of a sound" in found.says


def test_our_sound_over_another_picture_is_told_as_that(
    stores: Settings, made: status.Published, portrait: str, tmp_path: Path
) -> None:
    """A stranger's picture, and one of another video of ours, with the same face before the same wall."""
    ours = _file(stores, made, tmp_path)
    moving = [np.roll(material.astronaut(), 40 * (number % 7), axis=number % 2) for number in range(75)]
    strange = material.clip(tmp_path / "strange.mp4", moving)
    found = verify(stores, _joined(strange, ours, tmp_path / "lent.mp4"))
    assert (found.verdict, found.render_id) == ("other_picture", made.render_id), found
    assert "do not take it for that one" in found.says
    asked = _asked(portrait) | {"script": "A whole other story is told by the same mouth, with other lips."}
    other = pipeline.render(stores, asked)
    (folder := tmp_path / "second").mkdir()
    found = verify(stores, _joined(_file(stores, other, folder), ours, tmp_path / "mixed.mp4"))
    assert (found.verdict, found.render_id) == ("mixed", made.render_id), found
    assert other.render_id in found.layers[3].says
    with transaction(stores.pg_dsn) as db:  # as of videos from before pictures had prints
        lost = sa.select(m.StageRun.artifact).where(m.StageRun.render_id == made.render_id)
        db.execute(sa.delete(m.PicturePrint).where(m.PicturePrint.artifact.in_(lost)))
    found = verify(stores, tmp_path / "lent.mp4")
    assert (found.verdict, found.render_id) == ("recognised", made.render_id), found
    assert f"of {made.render_id} no print of the whole picture is kept" in found.layers[3].says


def test_synthetic_speech_that_is_not_known_is_told_by_its_mark(stores: Settings, tmp_path: Path) -> None:
    said = [Sentence("The museum keeps a thousand letters, most of them written long before the war.", 0.2)]
    spoken = engines.load("speech", "hibari").speak(
        said, language="en-US", voice="heart", seed=0, report=silent
    )
    plain, marked = tmp_path / "plain.wav", tmp_path / "marked.wav"
    write_wav(plain, spoken.samples, spoken.sample_rate)
    mark = engines.load("watermark", "perth").marked([spoken.samples], spoken.sample_rate)
    write_wav_blocks(marked, mark, spoken.sample_rate)
    assert verify(stores, plain).verdict == "foreign"
    found = verify(stores, marked)
    assert (found.verdict, found.render_id) == ("marked", None)
    assert found.layers[-1].says == "in 1 of 1 parts of 10 s"


def test_whoever_signs_in_our_name_is_told(
    stores: Settings, made: status.Published, portrait: str, tmp_path: Path
) -> None:
    """Another development chain has the very same names in it."""
    with transaction(stores.pg_dsn) as db:
        plan = Plan.model_validate(records.find(db, made.render_id).plan)
    other = signing.identity(tmp_path / "other")
    assert other is not None
    clip = material.clip(tmp_path / "video.mp4", [material.astronaut()] * 5)
    signed, _ = credentials.sign(
        clip, tmp_path, credentials.claim(made.render_id, plan, other.provider), other
    )
    found = verify(stores, signed["video.mp4"])
    assert (found.verdict, found.render_id) == ("claimed", made.render_id)
    assert "do not believe it" in found.says


def test_strangers_are_told_as_such(stores: Settings, tmp_path: Path) -> None:
    clip = material.clip(tmp_path / "stranger.mp4", [material.astronaut()] * 5)
    (noise := tmp_path / "noise.mp4").write_bytes(clip.read_bytes()[:40] + b"\xff" * 5000)
    (text := tmp_path / "empty.txt").write_bytes(b"")
    for path in (clip, noise, text):
        found = verify(stores, path)
        assert (found.verdict, found.render_id) == ("foreign", None)


def test_a_webm_is_known_by_what_lies_beside_it(stores: Settings, portrait: str, tmp_path: Path) -> None:
    made = pipeline.render(stores, _asked(portrait, container="webm"))
    path = _file(stores, made, tmp_path, "video.webm")
    path.write_bytes(path.read_bytes() + b"\0")
    assert verify(stores, path).verdict == "recognised"
    _file(stores, made, tmp_path, "credentials.c2pa").rename(tmp_path / "video.c2pa")
    assert (found := verify(stores, path)).verdict == "changed"
    assert found.render_id == made.render_id


def test_what_is_too_large_or_missing_is_refused(stores: Settings, tmp_path: Path) -> None:
    with (huge := tmp_path / "huge.mp4").open("wb") as file:
        file.truncate(Limits().max_bytes + 1)
    with pytest.raises(MediaRefused, match="at most 2,147,483,648 are looked at"):
        verify(stores, huge)
    with pytest.raises(InputError, match="cannot be read: No such file"):
        verify(stores, tmp_path / "nothing.mp4")


def test_the_evidence_is_one_zip_that_proves_itself(
    stores: Settings, made: status.Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avatarlab_ops.cli.verify.known_stores", lambda: stores)
    arguments = ["evidence", made.render_id, "--out", str(tmp_path / "pack.zip")]
    assert CliRunner().invoke(cli.main, arguments).exit_code == 0
    with zipfile.ZipFile(tmp_path / "pack.zip") as pack:
        files = {name: pack.read(name) for name in pack.namelist()}
    assert _checked(tmp_path / "pack.zip") == (0, f"evidence  whole, signed by {signing.DEVELOPMENT}")
    del files["SHA256SUMS.sig"], files["signer.pem"]
    for line in files.pop("SHA256SUMS").decode().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256(files[name]).hexdigest() == digest
    assert files["manifest.json"] == objects(stores).read(*split_or_refuse(made.manifest_uri))
    models = {model["name"]: model for model in json.loads(files["models.json"])}
    assert models["hibari.onnx"]["licence"] == "Apache-2.0"
    assert json.loads(files["publish-hints.json"])["youtube"]["status"]["containsSyntheticMedia"] is True
    assert {"likeness", "voice"} == {one["kind"] for one in json.loads(files["consents.json"]).values()}
    page = files["index.html"].decode()
    for told in (made.render_id, "test material", models["hibari.onnx"]["sha256"], "signed by Avatarlab"):
        assert told in page
    again = CliRunner().invoke(cli.main, arguments)
    assert "cannot be written (File exists)" in str(again.output)


def _checked(pack: Path) -> tuple[int, str]:
    told = CliRunner().invoke(cli.main, ["evidence", str(pack), "--check"])
    return told.exit_code, (str(told.exception) if told.exit_code else told.output).partition(
        " (certificate"
    )[0]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"manifest.json": b"{}"}, "was changed: manifest.json;"),
        ({"more.txt": b"more"}, "was changed: more.txt;"),
        ({"consents.json": None}, "was changed: consents.json;"),
        ({"SHA256SUMS.sig": None}, "nobody signed it"),
        ({"SHA256SUMS.sig": b"another"}, "the signature does not match these bytes"),
        ({"signer.pem": b"another"}, "the signature does not match these bytes"),
    ],
)
def test_a_pack_that_was_changed_or_not_signed_is_told(
    stores: Settings, made: status.Published, tmp_path: Path, change: dict[str, bytes | None], told: str
) -> None:
    evidence.write(stores, made.render_id, tmp_path / "pack.zip")
    with zipfile.ZipFile(tmp_path / "pack.zip") as pack:
        files = {one: pack.read(one) for one in pack.namelist()}
    with zipfile.ZipFile(tmp_path / "changed.zip", "w") as pack:
        for one, data in (files | change).items():
            if data is not None:
                pack.writestr(one, data)
    with pytest.raises(InputError, match=told):
        evidence.check(tmp_path / "changed.zip")


def test_the_command_line_says_what_a_file_is(
    stores: Settings, made: status.Published, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last in this file: a withdrawn video is told, and why."""
    monkeypatch.setattr(common, "known_stores", lambda: stores)
    monkeypatch.setattr("avatarlab_ops.cli.verify.known_stores", lambda: stores)
    path = str(_file(stores, made, tmp_path))
    told = CliRunner().invoke(cli.main, ["verify", path]).output
    assert told.startswith("published ")
    assert made.render_id in told
    with transaction(stores.pg_dsn) as db:
        mine = sa.select(m.StageRun.artifact).where(m.StageRun.render_id == made.render_id)
        kept = sa.select(sa.func.count()).where(m.PicturePrint.artifact.in_(mine))
        composite = db.scalars(mine.where(m.StageRun.stage == "composite")).one()
        prints.keep(db, m.PicturePrint, composite, words=[1], curves=b"", look=b"")
        assert db.scalar(kept) == 1
    withdrawal.withdraw(stores, made.render_id, "she changed her mind")
    with transaction(stores.pg_dsn) as db:
        assert db.scalar(kept) == 0, "the mean picture of somebody who is shown no longer"
    answer = CliRunner().invoke(cli.main, ["verify", path, "--format", "json"])
    found = json.loads(answer.output)
    assert (found["verdict"], found["withdrawn_reason"]) == ("published", "she changed her mind")
    assert "was withdrawn on" in found["says"]
    stone = found["tombstone"]
    said = json.loads(stone["record"])
    assert (said["render_id"], said["why"]) == (made.render_id, "withdrawn by its owner")
    assert said["files"]["video.mp4"] == found["sha256"]
    assert "changed her mind" not in stone["record"]
    seal.check(stone["record"].encode(), b64decode(stone["signature"]), stone["chain"].encode())
    assert signing.DEVELOPMENT in CliRunner().invoke(cli.main, ["verify", path]).output
    with transaction(stores.pg_dsn) as db:
        db.execute(sa.update(Tombstone).values(record=stone["record"].replace("owner", "maker")))
    assert "whose signature does not fit" in CliRunner().invoke(cli.main, ["verify", path]).output
