"""What every recurrent matting network shares: memory that starts afresh at cuts, stills, small batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, repeat
from operator import length_hint
from typing import Generic, Protocol, TypeVar

from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.batches import batched, memory_errors
from avatarlab_ops.engines.cuts import CutDetector
from avatarlab_ops.progress import Report, silent

SHORT_SIDE_PX = 288  # what the network sees; its authors advise 256 to 512 for head and shoulders
STILL_PASSES = 8  # of one picture: after these alpha changes by less than a tenth of a level on average

S = TypeVar("S")


class Network(Protocol[S]):
    """A recurrent network at work; `batch` is how many frames it takes at once."""

    batch: int

    def matte(self, frames: Sequence[Frame], state: S | None) -> tuple[list[Alpha], S]:
        """Alpha uint8 [H, W] of consecutive RGB uint8 [H, W, 3] frames and the state after the last.

        `state` is None at the start of a shot; it is not changed.
        """


class Recurrent(Generic[S]):
    """MattingEngine around a `Network`; one instance may serve several clips at once."""

    def __init__(self, network: Network[S]) -> None:
        self.network = network

    def mattes(
        self, frames: Iterable[Frame], *, still: bool = False, report: Report = silent
    ) -> Iterator[Alpha]:
        """Yield alpha uint8 [H, W] for each RGB uint8 [H, W, 3] frame, holding one batch at a time.

        The network's memory starts afresh at cuts. `still`: every frame is a picture of its own, shown to the
        network until its alpha has settled. Raises OutOfMemory when one frame alone does not fit.
        """
        total = length_hint(frames)
        alphas = map(self._settled, frames) if still else self._moving(frames)
        for done, alpha in enumerate(alphas, 1):
            yield alpha
            report(done, max(total, done), "frames")

    def _moving(self, frames: Iterable[Frame]) -> Iterator[Alpha]:
        cuts, shot = CutDetector(), 0

        def shot_of(frame: Frame) -> int:
            nonlocal shot
            shot += cuts.is_cut(frame)
            return shot

        for _, same_shot in groupby(frames, shot_of):
            yield from batched(_Memory(self.network).run, same_shot, self.network.batch)

    def _settled(self, frame: Frame) -> Alpha:
        *_, last = batched(_Memory(self.network).run, repeat(frame, STILL_PASSES), self.network.batch)
        return last


class _Memory(Generic[S]):
    """One shot's state, which moves on only when a batch went well."""

    def __init__(self, network: Network[S]) -> None:
        self._network = network
        self._state: S | None = None

    def run(self, frames: Sequence[Frame]) -> list[Alpha]:
        height, width = frames[0].shape[:2]
        with memory_errors(f"Matting ran out of memory on frames of {width}x{height}"):
            alphas, self._state = self._network.matte(frames, self._state)
        return alphas


def downsample_ratio(frame: Frame, short_side_px: int = SHORT_SIDE_PX) -> float:
    """What to shrink RGB [H, W, 3] by for the network, at most 1."""
    return min(1.0, float(short_side_px / min(frame.shape[:2])))
