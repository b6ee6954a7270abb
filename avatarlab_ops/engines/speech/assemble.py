"""Spoken sentences one after another: the samples joined, and the timeline of the whole."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.engines.speech import clip as clips
from avatarlab_ops.engines.speech.clip import Clip, Sound
from avatarlab_ops.engines.speech.visemes import visemes
from avatarlab_ops.engines.speech.words import align
from avatarlab_ops.timeline import Phone, Timeline, Word

LEAD_S = 0.15  # silence before the first sound, so that the mouth starts at rest


class Assembly:
    """Grows by one clip at a time; `speech()` gives the whole."""

    def __init__(self) -> None:
        self._samples = array("f", bytes(4 * round(LEAD_S * clips.RATE)))  # grows in place
        self._sounds: list[Sound] = []  # since the last written sentence, in seconds of the whole
        self._phones: list[Phone] = []
        self._words: list[Word] = []
        self._sentences = 0

    def add(self, clip: Clip) -> None:
        """Append a clip of the sentence in progress."""
        offset_s = len(self._samples) / clips.RATE
        self._sounds += [
            Sound(s.ipa, s.word, s.stressed, round(s.start_s + offset_s, 4), round(s.end_s + offset_s, 4))
            for s in clip.sounds
        ]
        self._append(clip.samples)

    def rest(self, seconds: float) -> None:
        """Let `seconds` pass between the last sound and the next; clips already keep 0.1 s around theirs."""
        missing_s = max(0.0, seconds - clips.AFTER_S - clips.BEFORE_S)
        self._append(np.zeros(round(missing_s * clips.RATE), np.float32))

    def close_sentence(
        self, written: Sequence[str], spoken: Sequence[str], joiner: str = " ", *, language: str = ""
    ) -> None:
        """Name the words of the sentence in progress.

        `written`: its words as in the script, `joiner` between them; `spoken`: its words as read, which
        `Sound.word` counts; `language`: another than the script's.
        """
        sounds = [sound for sound in self._sounds if sound.end_s > sound.start_s]
        named = _words(sounds, written, spoken, self._sentences, joiner)
        self._words += [word.model_copy(update={"language": language}) for word in named]
        self._phones += [
            Phone(ipa=s.ipa, stressed=s.stressed, start_s=s.start_s, end_s=s.end_s) for s in sounds
        ]
        self._sounds = []
        self._sentences += 1

    def speech(self, language: str, warnings: Iterable[str]) -> Speech:
        """Give everything added so far: phones and visemes cover the whole duration, rests included."""
        duration_s = len(self._samples) / clips.RATE
        phones = with_rests(self._phones, duration_s)
        timeline = Timeline(
            duration_s=duration_s,
            sample_rate=clips.RATE,
            language=language,
            words=tuple(self._words),
            phones=phones,
            visemes=visemes(phones),
            warnings=tuple(warnings),
        )
        return Speech(np.frombuffer(self._samples, np.float32), clips.RATE, timeline)

    def _append(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        self._samples.frombytes(samples.tobytes())


def _words(
    sounds: list[Sound], written: Sequence[str], spoken: Sequence[str], sentence: int, joiner: str
) -> list[Word]:
    """Time the written words. One that has no sound of its own ("—") joins its neighbour, so none is lost."""
    heard = sorted({sound.word for sound in sounds})
    owner = dict(zip(heard, align(written, [spoken[word] for word in heard]), strict=True))
    spans: dict[int, tuple[float, float]] = {}
    for sound in sounds:
        index = owner[sound.word]
        start_s = spans[index][0] if index in spans else sound.start_s
        spans[index] = (start_s, sound.end_s)
    words: list[Word] = []
    for index, nxt in zip(spans, [*spans, len(written)][1:], strict=True):
        text = joiner.join(written[index if words else 0 : nxt])
        start_s, end_s = spans[index]
        words.append(Word(text=text, sentence=sentence, start_s=start_s, end_s=end_s))
    return words


def with_rests(phones: Iterable[Phone], duration_s: float) -> tuple[Phone, ...]:
    """The sounds, and a rest wherever there is none, over the whole duration."""
    filled: list[Phone] = []
    now_s = 0.0
    for phone in phones:
        if phone.start_s > now_s:
            filled.append(Phone(ipa="", start_s=now_s, end_s=phone.start_s))
        filled.append(phone)
        now_s = phone.end_s
    if duration_s > now_s:
        filled.append(Phone(ipa="", start_s=now_s, end_s=duration_s))
    return tuple(filled)
