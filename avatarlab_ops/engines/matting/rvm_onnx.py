"""Robust Video Matting from its official ONNX file: hair-level alpha, steady over time, on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Alpha, Frame
from avatarlab_ops.engines.matting.recurrent import SHORT_SIDE_PX, Recurrent, downsample_ratio

MODEL_FILE = "rvm_mobilenetv3_fp32.onnx"
STATES = ("r1", "r2", "r3", "r4")

State = dict[str, NDArray[np.float32]]


class OnnxNetwork:
    """The official file in ONNX Runtime, one frame at a time."""

    batch = 1

    def __init__(self, short_side_px: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = device.threads()
        # Idle cores belong to others.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(weights.path(MODEL_FILE))
        self._session: Any = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._short_side_px = short_side_px

    def matte(self, frames: Sequence[Frame], state: State | None) -> tuple[list[Alpha], State]:
        """See `recurrent.Network`."""
        alphas = []
        state = state or {name: np.zeros((1, 1, 1, 1), np.float32) for name in STATES}
        for frame in frames:
            alpha, state = self._step(frame, state)
            alphas.append(np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8))
        return alphas, state

    def _step(self, frame: Frame, state: State) -> tuple[NDArray[np.float32], State]:
        """Alpha float32 [H, W] of one frame and the state for the next."""
        source = np.ascontiguousarray(frame.transpose(2, 0, 1), np.float32)[None] / np.float32(255)
        ratio = downsample_ratio(frame, self._short_side_px)
        feed = {"src": source, "downsample_ratio": np.array([ratio], np.float32)}
        feed |= {f"{name}i": state[name] for name in STATES}
        alpha, *states = self._session.run(["pha", *(f"{name}o" for name in STATES)], feed)
        return alpha[0, 0], dict(zip(STATES, states, strict=True))


class RvmOnnx(Recurrent[State]):
    """MattingEngine on `OnnxNetwork`."""

    def __init__(self, *, short_side_px: int = SHORT_SIDE_PX) -> None:
        super().__init__(OnnxNetwork(short_side_px))
