"""Hibari: small English text to speech whose own durations give the timeline.

The model predicts spectra and phone durations; the durations are an inner tensor, made an output in memory
when the engine is loaded, so the file on disk stays the pinned one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hibari import dsp
from numpy.typing import NDArray

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.engines.speech.assemble import Assembly
from avatarlab_ops.engines.speech.clip import RATE, Clip, Symbol, cut
from avatarlab_ops.engines.speech.pieces import PIECE_PAUSE_S, mute, pieces
from avatarlab_ops.engines.speech.spoken import SpokenWord, alphabet, spoken_with
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import Report

LANGUAGE, VOICE = "en-US", "heart"
_DURATIONS = "/Clip_output_0"  # float [n]: one number per id, pads at both ends included
UNIT = 600  # samples per unit of the model's durations: 25 ms
LATE_S = 0.075  # the model's durations run this late against forced alignment


class Hibari:
    """SpeechEngine for American English, voice `heart`, 24 kHz; the same seed gives the same samples."""

    def __init__(self) -> None:
        self._session = _session(weights.path("hibari.onnx"))
        self._ids = alphabet()

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
        """Speak the sentences in order, each followed by its pause; `report` counts sentences.

        Raises EngineUnavailable for another language or voice, ScriptRefused when nothing speakable is left.
        """
        if (language, voice) != (LANGUAGE, VOICE) or sample is not None:
            raise EngineUnavailable(
                f"hibari speaks {LANGUAGE} with the voice {VOICE!r}; {language} with {voice!r} was asked for"
            )
        assembly, warnings, heard = Assembly(), list[str](), False
        for number, sentence in enumerate(sentences):
            words = self.words(sentence.spoken, sentence.sounds)
            rng = np.random.default_rng([seed % 2**64, number])
            warnings += [f"hibari cannot say {word!r}" for word in mute(words)]
            if self._say(words, sentence.rate, assembly, rng):
                heard = True
                assembly.close_sentence(sentence.text.split(), [word.text for word in words])
            else:
                assembly.close_sentence([], [])
                warnings.append(f"nothing to say in: {sentence.text!r}")
            assembly.rest(sentence.pause_s)
            report(number + 1, len(sentences), "sentence")
        if not heard:
            raise ScriptRefused(
                "nothing in the script can be spoken by hibari; give at least one English word"
            )
        return assembly.speech(language, warnings)

    def words(self, text: str, sounds: Sequence[tuple[int, str]] = ()) -> list[SpokenWord]:
        """Words and sounds of what is said ("I'm" is one word); `sounds` as `Sentence` gives them."""
        return spoken_with(text, sounds)

    def _say(
        self, words: list[SpokenWord], rate: float, assembly: Assembly, rng: np.random.Generator
    ) -> bool:
        """Add the words to the assembly; whether anything was heard."""
        heard = False
        for piece in pieces(words):
            clip = self._clip(piece, rate, rng)
            if clip.sounds:
                assembly.rest(PIECE_PAUSE_S if heard else 0.0)
                assembly.add(clip)
                heard = True
        return heard

    def _clip(self, symbols: list[Symbol], rate: float, rng: np.random.Generator) -> Clip:
        ids = [0, *(self._ids[symbol.char] for symbol in symbols), 0]
        outputs = self._session.run(
            None, {"ids": np.asarray([ids], np.int64), "speed": np.full(1, rate, np.float32)}
        )
        samples: NDArray[np.float32] = dsp.synth(*(output[0] for output in outputs[:6]), rng)
        units = np.asarray(outputs[6], np.float64).ravel()
        edges_s = np.cumsum(units[:-1]) * UNIT / RATE - LATE_S
        return cut(samples, symbols, edges_s.tolist())


def _session(path: Path) -> Any:
    model = onnx.load(str(path))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
