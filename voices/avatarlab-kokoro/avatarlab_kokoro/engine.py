"""Kokoro-82M: one model, many voices; its own durations give the timeline.

The pinned graph comes in four parts, which are joined in memory; the durations are an inner tensor, made an
output there, so the files on disk stay the pinned ones.
"""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from avatarlab_kokoro import ENGINE, PARTS, STYLES, VOICES
from avatarlab_kokoro.words import spoken_sentences, written_words
from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.engines.speech.assemble import Assembly
from avatarlab_ops.engines.speech.clip import RATE, Clip, Symbol, cut
from avatarlab_ops.engines.speech.pieces import PIECE_PAUSE_S, mute, pieces
from avatarlab_ops.engines.speech.spoken import SpokenWord, alphabet
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import Report
from avatarlab_ops.timeline import spaced

_DURATIONS = "/encoder/Clip_output_0"  # one number per id, pads at both ends included
UNIT = 600  # samples per unit of the model's durations: 25 ms
LATE_S = 0.075  # the model's durations run this late against forced alignment
_SEEN = {"ja": {"β": "w"}}  # Kokoro writes the w of わ as the sound between b and v
_STYLES, _STYLE = 510, 256  # a voice: one style for each number of symbols


class Kokoro:
    """SpeechEngine for its entry's languages at 24 kHz; the seed changes nothing."""

    def __init__(self) -> None:
        self._session = _session()
        self._ids = alphabet()
        self._voices: dict[str, NDArray[np.float32]] = {}

    def speak(
        self,
        sentences: list[Sentence],
        *,
        language: str,
        voice: str,
        seed: int,  # noqa: ARG002 - the same text gives the same samples
        report: Report,
        sample: VoiceSample | None = None,
    ) -> Speech:
        """Speak the sentences in order, each followed by its pause; `report` counts sentences.

        Raises EngineUnavailable for another language or voice, ScriptRefused when nothing speakable is left.
        """
        if language not in ENGINE.languages or sample is not None:
            raise EngineUnavailable(
                f"kokoro speaks {', '.join(ENGINE.languages)} with its own voices; {language} was asked for"
            )
        style, assembly, warnings, heard = self._style(voice), Assembly(), _accent(voice, language), False
        said = spoken_sentences(sentences, language)
        for number, (sentence, words) in enumerate(zip(sentences, said, strict=True)):
            warnings += [f"kokoro cannot say {word!r}" for word in mute(words)]
            spoken_in = sentence.language or language
            if self._say(words, style, sentence.rate, assembly, _SEEN.get(spoken_in, {})):
                heard = True
                assembly.close_sentence(
                    written_words(sentence.text, spoken_in),
                    [word.text for word in words],
                    " " if spaced(spoken_in) else "",
                    language=sentence.language,
                )
            else:
                assembly.close_sentence([], [])
            assembly.rest(sentence.pause_s)
            report(number + 1, len(sentences), "sentence")
        if not heard:
            raise ScriptRefused("nothing in the script can be spoken by kokoro; give at least one word")
        return assembly.speech(language, warnings)

    def _say(
        self,
        words: list[SpokenWord],
        style: NDArray[np.float32],
        rate: float,
        assembly: Assembly,
        seen: Mapping[str, str],
    ) -> bool:
        """Add the words to the assembly; whether anything was heard. `seen`: symbols as lips show them."""
        heard = False
        for piece in pieces(words):
            clip = self._clip(piece, style, rate, seen)
            if clip.sounds:
                assembly.rest(PIECE_PAUSE_S if heard else 0.0)
                assembly.add(clip)
                heard = True
        return heard

    def _clip(
        self, symbols: list[Symbol], style: NDArray[np.float32], rate: float, seen: Mapping[str, str]
    ) -> Clip:
        ids = [0, *(self._ids[symbol.char] for symbol in symbols), 0]
        samples, units = self._session.run(
            None,
            {
                "tokens": np.asarray([ids], np.int64),
                "style": style[len(symbols) - 1][None],
                "speed": np.full(1, rate, np.float32),
            },
        )
        edges_s = np.cumsum(np.asarray(units, np.float64).ravel()[:-1]) * UNIT / RATE - LATE_S
        shown = [Symbol(seen.get(symbol.char, symbol.char), symbol.word) for symbol in symbols]
        return cut(np.asarray(samples, np.float32).ravel(), shown, edges_s.tolist())

    def _style(self, voice: str) -> NDArray[np.float32]:
        """Float32 [510, 256]. Raises EngineUnavailable for a voice that is none of its own."""
        if voice not in self._voices:
            with tarfile.open(weights.path(VOICES.name)) as archive:
                try:
                    file = archive.extractfile(f"package/voices/{STYLES.get(voice, voice)}.bin")
                except KeyError:
                    file = None
                if file is None:
                    raise EngineUnavailable(f"kokoro has no voice {voice!r}")
                self._voices[voice] = np.frombuffer(file.read(), np.float32).reshape(_STYLES, _STYLE)
        return self._voices[voice]


def _accent(voice: str, language: str) -> list[str]:
    accent = next((one.accent for one in ENGINE.voices if one.name == voice), "")
    return [f"the voice {voice} has a clear accent in {language} ({accent})"] if accent else []


def _session() -> Any:
    model = onnx.load_from_string(b"".join(weights.path(part.name).read_bytes() for part in PARTS))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = device.threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
