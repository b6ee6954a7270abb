"""Small-E and Lina-Speech as speech engines.

    sentence ─ words as they are said ─ tokens ─ language model ─┬─ codes ──── codec ─ samples ─┐
                (numbers spelled out)            (candidates)    └─ attention ─ times ──────────┴─ assembly

The models have no built-in voices: one that is given nothing to go on in draws a voice. So all that follows
the first piece goes on in that piece's voice; where a sample is given, everything goes on in the sample's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from avatarlab_ops.engines import device, weights
from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.engines.info import SAMPLED_VOICE
from avatarlab_ops.engines.speech.assemble import Assembly
from avatarlab_ops.engines.speech.pieces import PIECE_PAUSE_S
from avatarlab_ops.engines.speech.small_e import codec
from avatarlab_ops.engines.speech.small_e.config import Config
from avatarlab_ops.engines.speech.small_e.model import Lina
from avatarlab_ops.engines.speech.small_e.reader import Reader
from avatarlab_ops.engines.speech.small_e.step import Stepper
from avatarlab_ops.engines.speech.small_e.tokenizer import TextTokenizer
from avatarlab_ops.engines.speech.small_e.vocos import SAMPLE_RATE
from avatarlab_ops.engines.speech.small_e.voice import Voice, listened
from avatarlab_ops.engines.speech.spoken import SpokenWord, spoken_words
from avatarlab_ops.errors import EngineUnavailable, ScriptRefused
from avatarlab_ops.progress import Report
from avatarlab_ops.reading import read

LANGUAGE, DRAWN_VOICE = "en-US", "drawn"
CANDIDATES = 4


class SmallE:
    """SpeechEngine for American English at 24 kHz; the same seed gives the same samples.

    `candidates` attempts are made at each piece, in one batch where they fit.
    """

    def __init__(
        self,
        name: str,
        model: Lina,
        tokenizer: TextTokenizer,
        sound: codec.Codec,
        *,
        candidates: int = CANDIDATES,
    ) -> None:
        self._name, self._tokenizer, self._codec, self._candidates = name, tokenizer, sound, candidates
        self._stepper = Stepper(model)

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
        """Speak the sentences in order, in the voice of `sample` or in one drawn by the seed.

        Raises EngineUnavailable for another language or voice; ScriptRefused when nothing speakable is left,
        or no attempt at a word comes to an end.
        """
        if language != LANGUAGE or voice != (SAMPLED_VOICE if sample else DRAWN_VOICE):
            raise EngineUnavailable(
                f"{self._name} speaks {LANGUAGE}, with the voice {DRAWN_VOICE!r} or that of a sample; "
                f"{language} with {voice!r} was asked for"
            )
        device.for_torch()  # for the number of threads
        with torch.inference_mode():
            return self._speak(sentences, seed, report, self._voice(sample) if sample else None)

    def _speak(self, sentences: list[Sentence], seed: int, report: Report, voice: Voice | None) -> Speech:
        assembly, warnings, total = Assembly(), list[str](), len(sentences)
        done = 0
        reader = Reader(
            self._stepper, self._tokenizer, self._codec, self._candidates, seed, voice,
            tick=lambda: report(done, total, "sentence"),
        )  # fmt: skip
        for sentence in sentences:
            words = spoken_words(sentence.spoken)
            warnings += self._unknown(words)
            heard = False
            for clip in reader.read(words, done):
                assembly.rest(PIECE_PAUSE_S if heard else 0.0)
                assembly.add(clip)
                heard = True
            if heard:
                assembly.close_sentence(sentence.text.split(), [word.text for word in words])
            else:
                assembly.close_sentence([], [])
                warnings.append(f"nothing to say in: {sentence.text!r}")
            assembly.rest(sentence.pause_s)
            done += 1
            report(done, total, "sentence")
        speech = assembly.speech(LANGUAGE, dict.fromkeys(warnings))
        if not speech.timeline.words:
            raise ScriptRefused(f"nothing in the script can be spoken by {self._name}; give an English word")
        return speech

    def _unknown(self, words: Sequence[SpokenWord]) -> list[str]:
        left_out = "".join(
            dict.fromkeys(char for word in words for char in self._tokenizer.unknown(word.text))
        )
        return [f"{self._name} does not know and left out: {left_out}"] if left_out else []

    def _voice(self, sample: VoiceSample) -> Voice:
        if sample.sample_rate != SAMPLE_RATE:
            raise ValueError(f"a voice sample of {SAMPLE_RATE} Hz is needed, not {sample.sample_rate}")
        words = [word.text for word in spoken_words(read(sample.transcript, LANGUAGE).said)]
        tokens = self._tokenizer.encode(words)
        if max(tokens.words) < 0:
            raise ScriptRefused(f"voice_sample.transcript: no English word in {sample.transcript!r}")
        codes = self._codec.encode(sample.samples).to(self._stepper.device)
        return listened(self._stepper, words, tokens, codes)


def small_e() -> SmallE:
    """Small-E with EnCodec and Vocos. Raises EngineUnavailable, naming the file that is missing."""
    sound = codec.encodec_vocos(
        weights.tensors("vocos_encodec_24khz.safetensors"), weights.tensors("encodec_24khz.safetensors")
    )
    return SmallE("small_e", _network("small_e.safetensors"), _tokenizer(), sound)


def lina() -> SmallE:
    """Lina-Speech with WavTokenizer. Raises EngineUnavailable, naming the file that is missing."""
    sound = codec.wavtokenizer(weights.tensors("wavtokenizer.safetensors"))
    return SmallE("lina", _network("lina.safetensors"), _tokenizer(), sound)


def _tokenizer() -> TextTokenizer:
    return TextTokenizer(weights.path("bpe256.json"))


def _network(file: str) -> Lina:
    state = weights.tensors(file)
    with torch.device("meta"):
        model = Lina(Config.from_state(state))
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(requires_grad=False).train(mode=False).to(device.for_torch())
