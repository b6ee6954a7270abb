"""A TensorFlow Lite model as a function of one array."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines import device

Array = NDArray[np.float32]
_CHATTER = b"INFO: "  # LiteRT's word about its delegate, which it has no switch for
_one_at_a_time = threading.Lock()


def sigmoid(logits: Array) -> Array:
    """Logistic function, safe for any size of `logits`."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)


class TfLite:
    """One LiteRT interpreter with a single input; not thread-safe.

    `size` is the (height, width) the model takes.
    """

    def __init__(self, content: bytes) -> None:
        from ai_edge_litert.interpreter import Interpreter

        with no_chatter():
            self._net: Any = Interpreter(model_content=content, num_threads=device.threads())
            self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]
        self._outputs = self._net.get_output_details()
        self.size = (int(self._input["shape"][1]), int(self._input["shape"][2]))

    def __call__(self, picture: Array) -> dict[str, Array]:
        """Outputs by tensor name, without the batch axis, for one float32 [height, width, 3] picture."""
        self._net.set_tensor(self._input["index"], picture[None])
        self._net.invoke()
        return {out["name"]: self._net.get_tensor(out["index"])[0] for out in self._outputs}


@contextmanager
def no_chatter() -> Iterator[None]:
    """Hold back what native code writes to stderr in the block; all but known chatter is written after it."""
    with _one_at_a_time, tempfile.TemporaryFile() as kept:
        real = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(real, 2)
            kept.seek(0)
            for line in kept:
                if not line.startswith(_CHATTER):
                    os.write(real, line)
            os.close(real)
