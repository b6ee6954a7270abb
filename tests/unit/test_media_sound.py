"""Of a file with several sound tracks the one that players play is heard, and told."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from av.stream import Disposition
from media_samples import numbered

from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media.probe import probe
from avatarlab_ops.media.sound import read_sound

HZ, LOW, HIGH = 48_000, 220, 880


@pytest.mark.parametrize("name", ["two.mp4", "two.mkv"])
@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize(("default", "heard"), [(0, LOW), (1, HIGH)])
def test_the_default_track_is_heard_and_told(
    tmp_path: Path, name: str, default: int, heard: int, *, picture: bool
) -> None:
    path = tracks(tmp_path / name, [LOW, HIGH], default=default, picture=picture)
    assert pitch(read_sound(path, HZ, max_s=5)) == pytest.approx(heard, abs=5)
    notes = probe(path, allow=("video", "audio")).notes
    assert notes == (f"of its 2 sound tracks number {default + 1} is heard, where any is",)


def test_a_silent_first_track_that_is_not_the_default_is_not_heard(tmp_path: Path) -> None:
    assert probe(tracks(tmp_path / "mic.mkv", [0, LOW], default=1), allow=("audio",)).kind == "audio"
    silent = tracks(tmp_path / "game.mkv", [0, LOW], default=0)
    with pytest.raises(MediaRefused, match=r"silent.*of several sound tracks keep the one that speaks"):
        probe(silent, allow=("audio",))


def test_of_one_track_nothing_is_told(tmp_path: Path) -> None:
    assert probe(tracks(tmp_path / "one.mp4", [LOW], default=0), allow=("audio",)).notes == ()


@pytest.mark.parametrize("count", [1, 2, 6, 8])
def test_every_channel_is_heard(tmp_path: Path, count: int) -> None:
    for speaks in range(count):
        path = channels(tmp_path / f"{speaks}.wav", [float(n == speaks) for n in range(count)])
        samples = read_sound(path, HZ, max_s=5)
        assert pitch(samples) == pytest.approx(LOW, abs=5)
        assert np.abs(samples).max() == pytest.approx(0.5 / count, rel=0.01)


@pytest.mark.parametrize("gains", [(1.0, -1.0), (-0.9, 1.0), (0.0, 1.0, -1.0, 0.0, 0.0, 0.0)])
def test_channels_that_cancel_each_other_are_heard_through_the_loudest(
    tmp_path: Path, gains: tuple[float, ...]
) -> None:
    path = channels(tmp_path / "swapped.wav", gains)
    assert np.abs(read_sound(path, HZ, max_s=5)).max() == pytest.approx(0.5, rel=0.01)
    assert probe(path, allow=("audio",)).duration_s == pytest.approx(1)


@pytest.mark.parametrize(("name", "codec"), [("call.webm", "libopus"), ("call.m4a", "aac")])
@pytest.mark.parametrize(("gap_s", "silent_s"), [(2.0, 2.0), (0.05, 0.0), (3600.0, 0.0)])
def test_a_gap_that_times_leave_is_silence(
    tmp_path: Path, name: str, codec: str, gap_s: float, silent_s: float
) -> None:
    samples = read_sound(paused(tmp_path / name, codec, gap_s), HZ, max_s=10)
    assert len(samples) / HZ == pytest.approx(2 + silent_s, abs=0.1)
    heard = np.flatnonzero(np.abs(samples) > 0.1)
    assert np.diff(heard).max() / HZ == pytest.approx(silent_s, abs=0.1)


def paused(path: Path, codec: str, gap_s: float) -> Path:
    """Two seconds of a tone, after the first of which the times of the packets go on `gap_s` later."""
    wave = 0.5 * np.sin(2 * np.pi * LOW * np.arange(2 * HZ) / HZ)
    with av.open(str(path), "w") as output:
        sound = output.add_stream(codec, rate=HZ, layout="mono")
        assert isinstance(sound, AudioStream)
        block = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
        block.sample_rate, block.pts = HZ, 0
        for packet in [*sound.encode(block), *sound.encode(None)]:
            assert packet.pts is not None
            assert packet.dts is not None
            if packet.pts * packet.time_base >= 1:
                later = round(gap_s / packet.time_base)
                packet.pts, packet.dts = packet.pts + later, packet.dts + later
            output.mux(packet)
    return path


def channels(path: Path, gains: Sequence[float]) -> Path:
    """A second of a tone at half of full scale, in each channel times its gain."""
    tone = np.sin(np.arange(HZ) * 2 * np.pi * LOW / HZ) * 0.5
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(gains))
        file.setsampwidth(2)
        file.setframerate(HZ)
        file.writeframes((np.outer(tone, gains) * 32_767).astype("<i2").tobytes())
    return path


def pitch(samples: np.ndarray) -> float:
    """The loudest frequency in hertz."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * HZ / len(samples))


def tracks(path: Path, tones: list[int], *, default: int, picture: bool = False) -> Path:
    """Two seconds of a tone of so many hertz in each sound track, 0 for silence, with a picture or none."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25) if picture else None
        if video:
            video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        sounds = [output.add_stream("aac", rate=HZ, layout="mono") for _ in tones]
        for index, sound in enumerate(sounds):
            sound.disposition = Disposition.default if index == default else Disposition(0)
        frames = [av.VideoFrame.from_ndarray(numbered(i), "rgb24") for i in range(50)] if video else []
        for shown in frames:
            output.mux(video.encode(shown) if video else [])
        for tone, sound in zip(tones, sounds, strict=True):
            wave = 0.3 * np.sin(2 * np.pi * tone * np.arange(2 * HZ) / HZ)
            block = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
            block.sample_rate, block.pts = HZ, 0
            output.mux([*sound.encode(block), *sound.encode(None)])
        output.mux(video.encode(None) if video else [])
    return path
