"""The last stage of the picture: footage + patches + matte + background + captions + speech, encoded once.

Three threads overlap: one reads (footage, matte, patches), one paints, the calling one encodes. All streams.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avatarlab_ops.environment import AiLabel
from avatarlab_ops.errors import InvariantBroken, RequestInvalid
from avatarlab_ops.frames import Alpha, Patch
from avatarlab_ops.media import label
from avatarlab_ops.media.audio import read_wav_blocks, wav_length
from avatarlab_ops.media.background import Background, Plates
from avatarlab_ops.media.captions import Caption
from avatarlab_ops.media.footage import Footage
from avatarlab_ops.media.geometry import Matrix, cover, open_sides
from avatarlab_ops.media.keying import over_neutral
from avatarlab_ops.media.painter import Painter, Picture, Shot
from avatarlab_ops.media.threads import prefetch
from avatarlab_ops.media.video import VideoWriter, write_poster
from avatarlab_ops.progress import Report, silent
from avatarlab_ops.request import Container


class AlphaSource(Protocol):
    """Mattes by footage index: uint8 [height, width] of the footage."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Alpha: ...


@dataclass(frozen=True)
class OutputSpec:
    """Width and height in pixels (even), frames per second, container."""

    width: int
    height: int
    fps: float = 25
    container: Container = "mp4"
    ai_label: AiLabel = "none"
    language: str = "en"  # of what the label says


@dataclass(frozen=True)
class ComposeReport:
    """What was made, and the seconds each thread was busy (they overlap)."""

    frames: int
    duration_s: float
    alpha_coverage: float  # mean share of the picture that is foreground, 1 without a matte
    wall_s: float
    read_s: float
    paint_s: float
    encode_s: float


def frame_count(speech: Path, fps: float) -> int:
    """Return the number of video frames for a speech file: round(duration * fps), at least 1."""
    samples, rate = wav_length(speech)
    return max(1, round(samples / rate * fps))


def compose(
    footage: Footage, patches: Iterable[Patch], *,
    matte: AlphaSource | None, background: Background, speech: Path,
    output: OutputSpec, out_path: Path, captions: Sequence[Caption] = (),
    fit: Matrix | None = None, poster_path: Path | None = None, report: Report = silent,
    own_matte: bool = False,
) -> ComposeReport:  # fmt: skip
    """Write the finished video to `out_path`, complete or not at all.

    `captions` are burned in. `fit` says where footage pixels land in the picture; left out, the footage
    covers it. The poster is the frame one second in. `own_matte`: it is the footage's own alpha channel, with
    colours that may stand for the foreground alone. Raises RequestInvalid for combinations that cannot be,
    InvariantBroken when artifacts do not belong together, and whatever the sources raise; nothing is left
    behind then.
    """
    began = time.perf_counter()
    source, size = (footage.width, footage.height), (output.width, output.height)
    filled = cover(source, size)
    fit = filled if fit is None else fit
    fills = open_sides(source, size, fit) is None
    matte = _checked_matte(footage, matte, background, output)
    if matte is None and not fills:
        matte = _Whole(footage)
    total = frame_count(speech, output.fps)
    part = out_path.with_name(f".{out_path.name}.part")
    transparent = background.kind == "transparent"
    clock = _Clock()
    with ExitStack() as stack:
        behind = Plates(background, size, output.fps, fit if fills else filled, total=total)
        plates = stack.enter_context(closing(behind))
        painter = Painter(
            plates, size, output.fps, fit, captions,
            still=footage.still, transparent=transparent,
        )  # fmt: skip
        shots = prefetch(_shots(footage, matte, patches, total, clock, own_matte=own_matte))
        frames = stack.enter_context(closing(prefetch(_painted(painter, shots, clock))))
        writer = stack.enter_context(_writer(part, output, speech, alpha=transparent))
        poster = (poster_path, min(total - 1, int(output.fps))) if poster_path else None
        _encode(writer, _signed(frames, output), total, clock, poster=poster, report=report)
        total += _end(writer, output, alpha=transparent)
    part.replace(out_path)
    busy = (clock.busy[kind] for kind in ("read", "paint", "encode"))
    return ComposeReport(total, total / output.fps, painter.coverage, time.perf_counter() - began, *busy)


def _encode(
    writer: VideoWriter,
    frames: Iterable[Picture],
    total: int,
    clock: _Clock,
    *,
    poster: tuple[Path, int] | None,
    report: Report,
) -> None:
    """Write every frame to the video, and the one with the poster's number to its file, too."""
    for index, frame in enumerate(frames):
        if poster and index == poster[1]:
            write_poster(poster[0], frame)
        with clock.running("encode"):
            writer.write(frame)
        report(index + 1, total, "frames")


def _writer(path: Path, output: OutputSpec, speech: Path, *, alpha: bool) -> VideoWriter:
    return VideoWriter(
        path, output.width, output.height, output.fps, container=output.container, alpha=alpha,
        audio=read_wav_blocks(speech), sample_rate=wav_length(speech)[1],
    )  # fmt: skip


def _signed(frames: Iterable[Picture], output: OutputSpec) -> Iterator[Picture]:
    """The frames, with the icon of the label where it is asked for and shows."""
    sign = label.icon(output.width, output.height, output.ai_label, output.language)
    for index, frame in enumerate(frames):
        if sign and label.icon_shows(index / output.fps):
            sign.blend(frame)
        yield frame


def _end(writer: VideoWriter, output: OutputSpec, *, alpha: bool) -> int:
    """Add the end card where it is asked for; return its frames."""
    if output.ai_label != "end_card":
        return 0
    card = label.end_card(output.width, output.height, output.language)
    if alpha:
        card = np.dstack([card, np.full(card.shape[:2], 255, np.uint8)])
    frames = round(label.CARD_S * output.fps)
    for _ in range(frames):
        writer.write(card)
    return frames


class _Whole:
    """Mattes of footage that keeps its own background: all of it is shown."""

    def __init__(self, footage: Footage) -> None:
        self._frames, self._shape = len(footage), (footage.height, footage.width)

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, index: int) -> Alpha:
        return np.full(self._shape, 255, np.uint8)


def _checked_matte(
    footage: Footage, matte: AlphaSource | None, background: Background, output: OutputSpec
) -> AlphaSource | None:
    if background.kind == "transparent" and output.container != "webm":
        raise RequestInvalid("a transparent background needs the container webm: MP4 cannot carry alpha.")
    if not background.needs_matte:
        return None
    if matte is None or len(matte) != len(footage):
        given = "none" if matte is None else f"{len(matte)} mattes for {len(footage)} frames"
        raise InvariantBroken(f"background {background.kind} needs a matte of the footage, got {given}")
    return matte


def _shots(
    footage: Footage, matte: AlphaSource | None, patches: Iterable[Patch], total: int, clock: _Clock, *,
    own_matte: bool,
) -> Iterator[Shot]:  # fmt: skip
    source = iter(patches)
    for index in range(total):
        with clock.running("read"):
            patch = next(source, None)
            if patch is None:
                raise InvariantBroken(
                    f"the speech needs {total} frames, but lip-sync made only {index} patches"
                )
            frame = footage[patch.source_index]
            alpha = None if matte is None else matte[patch.source_index]
            if own_matte and alpha is not None:
                frame = over_neutral(frame, alpha)
            shot = Shot(index, patch, frame, alpha)
        yield shot


def _painted(painter: Painter, shots: Generator[Shot, None, None], clock: _Clock) -> Iterator[Picture]:
    with closing(shots):
        for shot in shots:
            with clock.running("paint"):
                picture = painter(shot)
            yield picture


class _Clock:
    """Seconds each kind of work took; every kind is counted from one thread only."""

    def __init__(self) -> None:
        self.busy: dict[str, float] = {"read": 0.0, "paint": 0.0, "encode": 0.0}

    @contextmanager
    def running(self, kind: str) -> Iterator[None]:
        """Count the seconds of this work."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.busy[kind] += time.perf_counter() - began
