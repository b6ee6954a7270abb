"""Robust Video Matting from its official ONNX file: hair-level alpha, steady over time, on the CPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import length_hint
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.batches import memory_errors
from avatarlab_ops.engines.cuts import CutDetector
from avatarlab_ops.progress import Report, silent

MODEL_FILE = "rvm_mobilenetv3_fp32.onnx"
SHORT_SIDE_PX = 288  # what the network sees; its authors advise 256 to 512 for head and shoulders
STILL_PASSES = 8  # of one picture: after these alpha changes by less than a tenth of a level on average
STATES = ("r1", "r2", "r3", "r4")

State = dict[str, NDArray[np.float32]]


class RvmOnnx:
    """MattingEngine; one instance may serve several clips, one after the other or at once."""

    def __init__(self, *, short_side_px: int = SHORT_SIDE_PX) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads()
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # idle cores belong to others
        path = str(weights.path(MODEL_FILE))
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._short_side_px = short_side_px

    def mattes(
        self, frames: Iterable[Frame], *, still: bool = False, report: Report = silent
    ) -> Iterator[Alpha]:
        """Yield alpha uint8 [H, W] for each RGB uint8 [H, W, 3] frame, holding one frame at a time.

        The network's memory starts afresh at cuts. `still`: every frame is a picture of its own, shown to the
        network until its alpha has settled. Raises OutOfMemory.
        """
        total = length_hint(frames)
        cuts = CutDetector()
        state = _empty()
        for index, frame in enumerate(frames):
            if still or cuts.is_cut(frame):
                state = _empty()
            for _ in range(STILL_PASSES if still else 1):
                with memory_errors(
                    f"Matting ran out of memory on frames of {frame.shape[1]}x{frame.shape[0]}"
                ):
                    alpha, state = self._step(frame, state)
            yield alpha
            report(index + 1, max(total, index + 1), "frames")

    def _step(self, frame: Frame, state: State) -> tuple[Alpha, State]:
        """Alpha of one frame and the state for the next."""
        source = np.ascontiguousarray(frame.transpose(2, 0, 1), np.float32)[None] / np.float32(255)
        ratio = min(1.0, self._short_side_px / min(frame.shape[:2]))
        feed = {"src": source, "downsample_ratio": np.array([ratio], np.float32)}
        feed |= {f"{name}i": state[name] for name in STATES}
        alpha, *states = self._session.run(["pha", *(f"{name}o" for name in STATES)], feed)
        levels = np.rint(np.clip(alpha[0, 0], 0, 1) * 255).astype(np.uint8)
        return levels, dict(zip(STATES, states, strict=True))


def _empty() -> State:
    return {name: np.zeros((1, 1, 1, 1), np.float32) for name in STATES}
