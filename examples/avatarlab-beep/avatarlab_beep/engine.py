"""The engine: one beep a word, the mouth open while it sounds."""

from __future__ import annotations

import numpy as np

from avatarlab_ops.engines.base import Sentence, Speech, VoiceSample
from avatarlab_ops.progress import Report
from avatarlab_ops.timeline import Phone, Timeline, Viseme, Word

RATE = 16_000  # Hz
BEEP_S, GAP_S = 0.25, 0.1


class Beep:
    """SpeechEngine; the seed changes nothing, and no voice is cloned."""

    def speak(
        self,
        sentences: list[Sentence],
        *,
        language: str,
        voice: str,  # noqa: ARG002 - it has one
        seed: int,  # noqa: ARG002
        report: Report,
        sample: VoiceSample | None = None,  # noqa: ARG002 - its entry does not say that it clones
    ) -> Speech:
        """See `avatarlab_ops.engines.base.SpeechEngine`."""
        words: list[Word] = []
        at_s = 0.0
        for number, sentence in enumerate(sentences):
            for text in sentence.text.split():
                words.append(Word(text=text, sentence=number, start_s=at_s, end_s=at_s + BEEP_S))
                at_s += BEEP_S + GAP_S
            at_s += sentence.pause_s
            report(number + 1, len(sentences), "sentence")
        samples = np.zeros(round(at_s * RATE), np.float32)
        for word in words:
            first = round(word.start_s * RATE)
            samples[first : first + round(BEEP_S * RATE)] = _beep()
        return Speech(samples, RATE, _timeline(words, len(samples) / RATE, language))


def _beep() -> np.ndarray:
    at_s = np.arange(round(BEEP_S * RATE)) / RATE
    swell = np.sin(np.pi * at_s / BEEP_S)  # no click at either end
    return (0.3 * swell * np.sin(2 * np.pi * 440 * at_s)).astype(np.float32)


def _timeline(words: list[Word], duration_s: float, language: str) -> Timeline:
    spans = [(word.start_s, word.end_s) for word in words]
    return Timeline(
        duration_s=duration_s,
        sample_rate=RATE,
        language=language,
        words=tuple(words),
        phones=tuple(Phone(ipa="a", stressed=True, start_s=start, end_s=end) for start, end in spans),
        visemes=tuple(Viseme(name="aa", start_s=start, end_s=end) for start, end in spans),
    )
