"""What is done to videos before verify sees them: the treatments of benchmarks.trust."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avatarlab_ops.media.audio import Samples, resample
from avatarlab_ops.media.sound import read_sound

HZ = 48_000
Picture = Callable[[np.ndarray], np.ndarray]
Sound = Callable[[Samples], Samples]
Treatment = Callable[[Path, Path], Path]  # (file, folder for what is made) -> the file as treated


def same(given: Any) -> Any:
    """As it is, but encoded once more."""
    return given


def untouched(_: np.ndarray) -> np.ndarray:
    """The picture's packets as they are: never called."""
    raise AssertionError("packets that are copied are not decoded")


def other_look(picture: np.ndarray) -> np.ndarray:
    """A picture that moves as ours and looks like none: upside down, in negative."""
    return np.ascontiguousarray(255 - picture[::-1])


def _noisy(given: np.ndarray) -> np.ndarray:
    """Noise at 20 dB below a sound, or of 6 levels in a picture."""
    noise = np.random.default_rng(1).normal(0, 1, given.shape)
    if given.dtype == np.uint8:
        return np.clip(given + 6 * noise, 0, 255).astype(np.uint8)
    return (given + noise * given.std() / 10).astype(np.float32)


def _cropped(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[9:-9, 9:-9])


def again(
    source: Path, target: Path, picture: Picture | None, sound: Sound, *,
    codec: str, rate: int, part_s: tuple[float, float] = (0.0, 60.0), speed: float = 1.0,
) -> Path:  # fmt: skip
    """Encoded once more: x264 at CRF 28, untouched or without a picture, the sound at `rate` bits a second.

    Of picture and sound only the part between two seconds, played so many times as fast.
    """
    begin, end = (round(one * HZ) for one in part_s)
    heard = sound(read_sound(source, HZ, max_s=60)[begin:end])
    heard = heard if speed == 1.0 else resample(heard, round(speed * 100), 100)
    with av.open(str(target), "w") as made:
        spoken = made.add_stream(codec, rate=HZ, bit_rate=rate)
        spoken.layout = "mono"
        if picture is untouched:
            _copy_picture(source, made)
        elif picture:
            _show(source, made, picture, part_s, speed)
        block = av.AudioFrame.from_ndarray(heard[None].astype(np.float32), "fltp", "mono")
        block.sample_rate = HZ
        shaper = av.AudioResampler(spoken.format, "mono", HZ, frame_size=spoken.frame_size or 1024)
        for frame in (*shaper.resample(block), *shaper.resample(None)):
            made.mux(spoken.encode(frame))
        made.mux(spoken.encode(None))
    return target


def _show(
    source: Path, made: av.container.OutputContainer, picture: Picture, part_s: tuple[float, float],
    speed: float,
) -> None:  # fmt: skip
    shown = made.add_stream("libx264", rate=25, options={"crf": "28", "preset": "ultrafast"})
    shown.pix_fmt = "yuv420p"
    with av.open(str(source)) as given:
        shots = (frame for frame in given.decode(video=0) if part_s[0] <= (frame.time or 0) < part_s[1])
        for number, frame in enumerate(shots):
            pixels = picture(frame.to_ndarray(format="rgb24"))
            if number == 0:
                shown.height, shown.width = pixels.shape[:2]
                shown.codec_context.time_base = Fraction(1, 25_000)
            changed = av.VideoFrame.from_ndarray(pixels, "rgb24")
            changed.pts, changed.time_base = round(number * 1000 / speed), Fraction(1, 25_000)
            made.mux(shown.encode(changed))
    made.mux(shown.encode(None))


def _remuxed(source: Path, target: Path) -> Path:
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return target


def _flipped(source: Path, target: Path) -> Path:
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    return target


def _muted(source: Path, target: Path) -> Path:
    with av.open(str(target), "w") as made:
        _copy_picture(source, made)
    return target


def _copy_picture(source: Path, made: av.container.OutputContainer) -> None:
    with av.open(str(source)) as given:
        shown = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = shown
                made.mux(packet)


def _encoded(
    name: str, picture: Picture | None, sound: Sound = same, codec: str = "aac", rate: int = 128_000,
    **more: Any,
) -> Treatment:  # fmt: skip
    return lambda source, folder: again(source, folder / name, picture, sound, codec=codec, rate=rate, **more)


def _small(picture: np.ndarray) -> np.ndarray:
    """Two thirds of the size, as 480p is of 720p."""
    height, width = (2 * (side // 3) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def _mirrored(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, ::-1])


def flipped(source: Path, folder: Path) -> Path:
    """With one bit in its middle the other way."""
    return _flipped(source, folder / "flipped.mp4")


# Where a picture is treated it is encoded at CRF 28, with AAC at 128 kbit/s unless something else is said.
TREATMENTS: dict[str, Treatment] = {
    "nothing": lambda source, _: source,
    "one bit flipped": flipped,
    "remux": lambda source, folder: _remuxed(source, folder / "remux.mp4"),
    "AAC 64k, picture as it is": _encoded("aac.mp4", untouched, rate=64_000),
    "MP3 48k, CRF 28": _encoded("mp3.mp4", same, codec="libmp3lame", rate=48_000),
    "CRF 28": _encoded("crf.mp4", same),
    "two thirds of the size (480p of 720p)": _encoded("small.mp4", _small),
    "5 % crop": _encoded("crop.mp4", _cropped),
    "mirrored": _encoded("mirror.mp4", _mirrored),
    "2.5 s excerpt": _encoded("excerpt.mp4", same, part_s=(0.25, 2.75)),
    "speed 1.05": _encoded("faster.mp4", same, speed=1.05),
    "as from a screen: smaller, noise on both, AAC 64k": _encoded(
        "noise.mp4", lambda picture: _noisy(_small(picture)), _noisy, rate=64_000
    ),
    "sound alone, Opus 32k": _encoded("sound.mkv", None, codec="libopus", rate=32_000),
    "sound removed": lambda source, folder: _muted(source, folder / "mute.mp4"),
    "other sound (its own, backwards)": _encoded("dubbed.mp4", same, lambda sound: sound[::-1].copy()),
}
LONG_TREATMENTS: dict[str, Treatment] = {"10 s excerpt": _encoded("ten.mp4", same, part_s=(0.5, 10.5))}
