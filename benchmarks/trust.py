"""`python -m benchmarks trust`: what verify recognises after what was done to a video, and what trust costs.

Published videos and strangers go through the same treatments; each line says as what either were told, and
whether as the right render. Each stranger shows the first published video's picture, and says with the same
voice what another published one says but for its first words: it is to be told as `mixed` or `other_sound`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avatarlab_ops import engines, pipeline
from avatarlab_ops.embedded import servers
from avatarlab_ops.engines.base import Sentence
from avatarlab_ops.media.audio import Samples, resample, write_speech
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust.verify import verify

EACH = 30  # videos of ours, and clips of strangers
_WHO = ("The captain", "Our teacher", "A young doctor", "The old baker", "My neighbour", "Nobody")
_DID = (
    "opened the small office before the rain began",
    "carried forty letters across the frozen river",
    "sold every ticket for the concert on Monday",
    "painted the garden wall with bright blue colour",
    "finished the long report about the price of bread",
    "found the paper map under a heavy wooden table",
    "closed the bridge until the water had gone down",
    "asked the museum for a picture of the harbour",
    "counted the ships that came home in September",
    "repaired the broken engine of the last bus",
)
SENTENCES = tuple(f"{who} {did}." for did in _DID for who in _WHO)  # 60, neighbours alike but for their start
OURS, FOREIGN = SENTENCES[: 2 * EACH : 2], SENTENCES[1 : 2 * EACH : 2]
HZ = 48_000
Picture = Callable[[np.ndarray], np.ndarray]
Sound = Callable[[Samples], Samples]


def _same(given: Any) -> Any:
    return given


def _noisy(given: np.ndarray) -> np.ndarray:
    """Noise at 20 dB below a sound, or of 6 levels in a picture."""
    noise = np.random.default_rng(1).normal(0, 1, given.shape)
    if given.dtype == np.uint8:
        return np.clip(given + 6 * noise, 0, 255).astype(np.uint8)
    return (given + noise * given.std() / 10).astype(np.float32)


def _cropped(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[9:-9, 9:-9])


def _again(
    source: Path, target: Path, picture: Picture | None, sound: Sound, *,
    codec: str, rate: int, part_s: tuple[float, float] = (0.0, 60.0), speed: float = 1.0,
) -> Path:  # fmt: skip
    """Encoded once more: x264 at CRF 28, or without a picture, and the sound at `rate` bits a second.

    Of picture and sound only the part between two seconds, played so many times as fast.
    """
    begin, end = (round(one * HZ) for one in part_s)
    heard = sound(read_sound(source, HZ, max_s=60)[begin:end])
    heard = heard if speed == 1.0 else resample(heard, round(speed * 100), 100)
    with av.open(str(target), "w") as made:
        spoken = made.add_stream(codec, rate=HZ, bit_rate=rate)
        spoken.layout = "mono"
        if picture:
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
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        shown = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = shown
                made.mux(packet)
    return target


def _encoded(
    name: str, picture: Picture | None, sound: Sound = _same, codec: str = "aac", rate: int = 128_000,
    **more: Any,
) -> Any:  # fmt: skip
    return lambda source, folder: _again(
        source, folder / name, picture, sound, codec=codec, rate=rate, **more
    )


def _small(picture: np.ndarray) -> np.ndarray:
    """Two thirds of the size, as 480p is of 720p."""
    height, width = (2 * (side // 3) for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


ATTACKS: dict[str, Callable[[Path, Path], Path]] = {
    "nothing": lambda source, _: source,
    "one bit flipped": lambda source, folder: _flipped(source, folder / "flipped.mp4"),
    "remux": lambda source, folder: _remuxed(source, folder / "remux.mp4"),
    "CRF 28, AAC 64k": _encoded("aac.mp4", _same, rate=64_000),
    "MP3 48k": _encoded("mp3.mp4", _same, codec="libmp3lame", rate=48_000),
    "720p to 480p": _encoded("small.mp4", _small),
    "5 % crop": _encoded("crop.mp4", _cropped),
    "mirrored": _encoded("mirror.mp4", lambda picture: np.ascontiguousarray(picture[:, ::-1])),
    "2.5 s excerpt": _encoded("excerpt.mp4", _same, part_s=(0.25, 2.75)),
    "sound alone, Opus 32k": _encoded("sound.mkv", None, codec="libopus", rate=32_000),
    "smaller, noise on both": _encoded("noise.mp4", lambda p: _noisy(_small(p)), _noisy, rate=64_000),
    "speed 1.05": _encoded("faster.mp4", _same, speed=1.05),
    "sound removed": lambda source, folder: _muted(source, folder / "mute.mp4"),
    "other sound": _encoded("dubbed.mp4", _same, lambda sound: sound[::-1].copy()),
}


@contextmanager
def _stores() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".avatarlab"
        try:
            settings = servers.ensure(home)
            pipeline.prepare_stores(settings)
            yield settings
        finally:
            servers.stop(home)


def _published(settings: Settings, folder: Path) -> tuple[list[tuple[str, Path]], list[dict[str, Any]]]:
    """Render id and file of each video of ours, and the manifests."""
    store, found, manifests = objects(settings), [], []
    portrait = Path(__file__).parents[1] / "demo" / "astronaut.png"
    avatar = {"uri": store.put_if_absent(settings.bucket_inputs, "portrait.png", portrait).uri}
    for number, script in enumerate(OURS):
        shape = {"resolution": "360p", "aspect": "1:1"}
        made = pipeline.render(settings, {"script": script, "avatar": avatar, "output": shape})
        path = folder / f"ours{number}.mp4"
        path.write_bytes(store.read(*split_or_refuse(made.video_uri)))
        found.append((made.render_id, path))
        manifests.append(json.loads(store.read(*split_or_refuse(made.manifest_uri))))
    return found, manifests


def _strangers(folder: Path, like: Path) -> list[tuple[str, Path]]:
    """Clips with a picture of ours and other speech."""
    found, speaker = [], engines.load("speech", "hibari")
    for number, script in enumerate(FOREIGN):
        said = speaker.speak([Sentence(script, 0.2)], language="en-US", voice="heart", seed=0, report=silent)
        write_speech(folder / "said.wav", said.samples, said.sample_rate)
        other = read_sound(folder / "said.wav", HZ, max_s=60)
        path = folder / f"foreign{number}.mp4"
        _again(like, path, _same, lambda _, other=other: other, codec="aac", rate=128_000)  # type: ignore[misc]
        found.append(("", path))
    return found


def _table(
    settings: Settings, ours: list[tuple[str, Path]], foreign: list[tuple[str, Path]], folder: Path
) -> None:
    print("| treatment | told as | layers | right render | strangers told as |")
    print("|---|---|---|---|---|")
    for name, attack in ATTACKS.items():
        told: Counter[str] = Counter()
        layers: Counter[str] = Counter()
        right = 0
        for render_id, path in ours:
            found = verify(settings, attack(path, folder))
            told[found.verdict] += 1
            layers.update(layer.name for layer in found.layers if layer.recognised)
            right += found.render_id == render_id
        others = Counter(verify(settings, attack(path, folder)).verdict for _, path in foreign)
        columns = (
            name,
            _counts(told),
            _counts(layers),
            f"{right} of {len(ours)}",
            _counts(others),
        )
        print(f"| {' | '.join(columns)} |", flush=True)


def _counts(found: Counter[Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common()) or "none"


def _costs(settings: Settings, ours: list[tuple[str, Path]], manifests: list[dict[str, Any]]) -> None:
    signing = [one["credentials"]["sign_s"] for one in manifests]
    work = [sum(made["compute_s"] for made in one["artifacts"].values()) for one in manifests]
    length = [one["measures"]["duration_s"] for one in manifests]
    middle, share = 1000 * statistics.median(signing), 100 * sum(signing[1:]) / sum(work[1:])
    print(f"signing and reading back: {middle:.0f} ms a video, {share:.1f} % of its render's work")
    print(
        f"the first, which loads the library: {signing[0]:.2f} s; videos of {statistics.mean(length):.1f} s"
    )
    times = []
    for _, path in ours:
        started = time.perf_counter()
        verify(settings, _flipped(path, path.with_name("cost.mp4")))
        times.append(time.perf_counter() - started)
    print(f"verify of a changed video: {1000 * statistics.median(times):.0f} ms")


def main() -> None:
    """Print the table and the costs."""
    with _stores() as settings, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        ours, manifests = _published(settings, folder)
        _costs(settings, ours, manifests)
        _table(settings, ours, _strangers(folder, ours[0][1]), folder)


if __name__ == "__main__":
    main()
