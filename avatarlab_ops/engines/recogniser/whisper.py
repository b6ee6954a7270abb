"""Whisper base by CTranslate2: what a recording says, in any of its hundred languages.

The pinned weights come in two halves, which are joined in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Heard
from avatarlab_ops.progress import Report
from avatarlab_ops.timeline import spaced

SURE = 0.9  # of another language, to trust the ear more than what was asked for
_HALVES = ("whisper-base-model.bin.part1", "whisper-base-model.bin.part2")
_SMALL = ("config.json", "tokenizer.json", "vocabulary.txt")
_NO_SPEECH, _DOUBTFUL = 0.6, -1.0  # how sure of silence, and how unsure of the words, a passage is dropped
_LOOPING = (
    2.4  # words that pack smaller go round and round: the library's own limit, from which it draws others
)
# Without this hint it mixes both Chinese scripts.
_SIMPLIFIED = "\u4ee5\u4e0b\u662f\u666e\u901a\u8bdd\u7684\u53e5\u5b50\u3002"


class Whisper:
    """RecogniserEngine; the same recording gives the same words."""

    sample_rate = 16_000

    def __init__(self) -> None:
        from faster_whisper import WhisperModel

        files = {name: weights.path(f"whisper-base-{name}").read_bytes() for name in _SMALL}
        files["model.bin"] = b"".join(weights.path(half).read_bytes() for half in _HALVES)
        self._model: Any = WhisperModel(
            "whisper-base", device="cpu", compute_type="int8", cpu_threads=device.threads(), files=files
        )

    def heard(self, samples: NDArray[np.float32], *, language: str, report: Report) -> Heard:
        """What is said, passage by passage; silence and music between are left out."""
        asked = language.partition("-")[0]
        found, sure, _ = self._model.detect_language(samples, vad_filter=True)
        if found != asked and sure >= SURE:
            return Heard("", str(found), float(sure))
        passages, _ = self._model.transcribe(
            samples, language=asked, vad_filter=True, condition_on_previous_text=False,
            temperature=0.0,  # the likeliest words; by default doubtful ones are drawn, without a seed
            initial_prompt=_SIMPLIFIED if asked == "zh" else None,
        )  # fmt: skip
        said, seconds = list[str](), max(1, len(samples) // self.sample_rate)
        for passage in passages:
            report(min(int(passage.end), seconds), seconds, "second")
            said_once = passage.compression_ratio <= _LOOPING
            if said_once and passage.no_speech_prob < _NO_SPEECH and passage.avg_logprob > _DOUBTFUL:
                said.append(passage.text.strip())
        return Heard(
            (" " if spaced(language) else "").join(said), asked, float(sure if found == asked else 0.0)
        )
