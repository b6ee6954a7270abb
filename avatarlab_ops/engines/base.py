"""What a stage may ask of an engine, one protocol a kind: it sees frames, samples and files, nothing else.

Frames are RGB uint8 [H, W, 3], contiguous; alpha is uint8 [H, W], 255 opaque; audio is float32 mono [-1, 1].
Pictures have their types in `avatarlab_ops.frames`, which media knows, too; engines find them here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.frames import Alpha, Frame, Patch
from avatarlab_ops.progress import Report
from avatarlab_ops.timeline import Timeline

__all__ = [
    "PROTOCOLS",
    "Alpha",
    "FaceEngine",
    "FaceTrack",
    "Frame",
    "FrameSource",
    "Heard",
    "LipsyncEngine",
    "MattingEngine",
    "Patch",
    "Preparation",
    "PreparingEngine",
    "RecogniserEngine",
    "Sentence",
    "Speech",
    "SpeechEngine",
    "VoiceSample",
    "WatermarkEngine",
    "footage_index",
]

Preparation = Mapping[str, NDArray[Any]]  # arrays by name, kept as .npz: no objects in them


@dataclass(frozen=True)
class Sentence:
    """One sentence of the script, the silence after it, and how it is read aloud ("": as written).

    Only an engine whose entry names the mark is given more: `sounds` (phoneme) are those of some words of
    `spoken`, by their index, in hibari's alphabet; `rate` (prosody) is the speed, 0.5 to 2, 1 the voice's
    own; `language` (lang) is another one than the script's, "" the same.
    """

    text: str
    pause_s: float
    said: str = ""
    sounds: tuple[tuple[int, str], ...] = ()
    rate: float = 1.0
    language: str = ""

    @property
    def spoken(self) -> str:
        """What a voice says; `text` is what captions show."""
        return self.said or self.text


@dataclass(frozen=True)
class Speech:
    """Spoken script: samples float32 [n] mono at `sample_rate` Hz, and when each sound falls."""

    samples: NDArray[np.float32]
    sample_rate: int
    timeline: Timeline


@dataclass(frozen=True)
class VoiceSample:
    """A voice to clone: samples float32 [n] mono at `sample_rate` Hz, and the words that are said in them."""

    samples: NDArray[np.float32]
    sample_rate: int
    transcript: str


@runtime_checkable
class SpeechEngine(Protocol):
    """Text to speech."""

    def speak(
        self,
        sentences: list[Sentence],
        *,
        language: str,
        voice: str,
        seed: int,
        report: Report,
        sample: VoiceSample | None = None,
    ) -> Speech:
        """Speak the sentences in order, each followed by its pause, in the voice of `sample` if one is given.

        `language` and `voice` are of the engine's entry; the same seed gives the same samples. `report`
        counts sentences. Raises ScriptRefused when nothing speakable is left, EngineUnavailable for a voice
        it does not have.
        """


@dataclass(frozen=True)
class Heard:
    """What a recording says: its words as they are written, and in which language, by its ISO 639 code.

    `sure`: of the language, 0 to 1.
    """

    text: str
    language: str
    sure: float


@runtime_checkable
class RecogniserEngine(Protocol):
    """Speech to text."""

    sample_rate: int  # Hz that it wants

    def heard(self, samples: NDArray[np.float32], *, language: str, report: Report) -> Heard:
        """Write down what float32 [n] mono samples say; "" where nothing is said.

        `language`: the BCP 47 tag that it should be; where it is sure of another, the text is "" and that one
        is told. `report` counts seconds of the recording.
        """


@dataclass(frozen=True)
class FaceTrack:
    """The leading face of a clip, one row a frame, in pixels of the footage.

    landmarks: float32 [n, 478, 3], smoothed (MediaPipe mesh order; x right, y down, z from the camera);
    present: bool [n], False where no face was seen (landmarks there repeat the nearest seen face), or its
    mouth is covered; covered: bool [n], True where it is that, None: nowhere; cuts: frames, rising, at which
    another shot begins.
    """

    landmarks: NDArray[np.float32]
    present: NDArray[np.bool_]
    width: int
    height: int
    fps: float
    notes: tuple[str, ...] = ()
    covered: NDArray[np.bool_] | None = None
    cuts: tuple[int, ...] = ()

    def __len__(self) -> int:
        return int(self.present.shape[0])

    def lacking(self, frames: slice | NDArray[np.intp] = slice(None)) -> tuple[int, int]:
        """Numbers of frames (left out: of all) without a face, and with a face whose mouth is covered."""
        covered = 0 if self.covered is None else int(self.covered[frames].sum())
        return int((~self.present[frames]).sum()) - covered, covered


class FrameSource(Protocol):
    """Footage by index: frames of one size, cheap to ask for forward and backward."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Frame: ...


@runtime_checkable
class LipsyncEngine(Protocol):
    """Timeline and footage to mouth patches, one per output frame."""

    def patches(
        self,
        frames: FrameSource,
        track: FaceTrack,
        speech: Speech,
        *,
        fps: float,
        seed: int,
        blinks: bool,
        head_motion: bool,
        preparation: Preparation | None,
        report: Report,
    ) -> Iterator[Patch]:
        """Yield round(duration_s * fps) patches (at least 1), in order, streaming.

        `fps`: output frames a second; the same seed gives the same patches. `blinks` and `head_motion` act on
        a still portrait (one frame); footage moves by itself. `preparation`: what `prepare` gave for this
        avatar; None where the engine prepares nothing. `report` counts frames.
        """


@runtime_checkable
class PreparingEngine(LipsyncEngine, Protocol):
    """A lip-sync engine that looks at an avatar once, for all scripts: its entry says `prepares`."""

    def prepare(self, frames: FrameSource, track: FaceTrack, *, report: Report) -> Preparation:
        """What it keeps of the avatar. Raises FaceRefused when no frame shows a face."""


@runtime_checkable
class FaceEngine(Protocol):
    """Footage to the track of its leading face."""

    def track(
        self, frames: Iterable[Frame], *, fps: float, width: int, height: int, report: Report
    ) -> FaceTrack:
        """Follow the largest face of a clip of [height, width, 3] frames, read once, in order.

        Raises FaceRefused when no frame shows one face that leads. `report` counts frames.
        """


@runtime_checkable
class MattingEngine(Protocol):
    """Footage to alpha, one matte per frame, in order, streaming."""

    def mattes(self, frames: Iterable[Frame], *, still: bool, report: Report) -> Iterator[Alpha]:
        """Yield one alpha per frame. `still`: the clip is one picture. State resets at cuts."""


@runtime_checkable
class WatermarkEngine(Protocol):
    """An imperceptible mark in speech."""

    def marked(
        self, blocks: Iterable[NDArray[np.float32]], sample_rate: int
    ) -> Iterator[NDArray[np.float32]]:
        """Yield the speech of these blocks with the mark, as many samples, streaming."""

    def confidence(self, samples: NDArray[np.float32]) -> list[float]:
        """How sure it is, from 0 to 1, that the mark is in each part of samples at 8 kHz that holds sound."""


PROTOCOLS: dict[str, type] = {
    "speech": SpeechEngine,
    "face": FaceEngine,
    "matting": MattingEngine,
    "lipsync": LipsyncEngine,
    "watermark": WatermarkEngine,
    "recogniser": RecogniserEngine,
}


def footage_index(frame: int, footage_frames: int) -> int:
    """Source frame shown at output `frame` when footage is played forward, backward, forward, ...

    >>> [footage_index(i, 3) for i in range(7)]
    [0, 1, 2, 1, 0, 1, 2]
    """
    if footage_frames == 1:
        return 0
    period = 2 * (footage_frames - 1)
    step = frame % period
    return step if step < footage_frames else period - step
