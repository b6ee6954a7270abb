"""A recording of the script in place of the voice: its sound, and when each word falls in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avatarlab_ops.engines.base import Speech
from avatarlab_ops.errors import ScriptRefused
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.plan import Source
from avatarlab_ops.stages.context import Context

if TYPE_CHECKING:
    from avatarlab_ops.engines.speech.narration import Aligned

SAMPLE_HZ = 24_000
OTHER, DOUBTFUL = 0.72, 0.60  # mean distance (0 alike, 1 unrelated): other words, perhaps other words
THROUGHOUT = 0.55  # of all words together, of which no passage is doubtful: right scripts were at most 0.50
PASSAGE = 5  # words that are judged together
PLACES = 3  # at most so many are named


def narrated(work: Context, narration: Source, spoken: Speech, noted: tuple[str, ...] = ()) -> Speech:
    """The recording with the times of what `spoken` says, and what was `noted` of its words.

    Raises ScriptRefused where the recording holds other words; admission refused silence.
    """
    from avatarlab_ops.engines.speech.cepstra import is_narrow
    from avatarlab_ops.engines.speech.narration import align
    from avatarlab_ops.engines.speech.speakers import second_voice
    from avatarlab_ops.media import foreign

    samples = foreign.read_sound(work.source(narration), SAMPLE_HZ, max_s=Limits().max_sound_s)
    narrow = is_narrow(samples)
    aligned = align(samples, spoken, narrow=narrow)
    if aligned is None:
        raise ScriptRefused(
            f"narration: {narration.uri} lasts {len(samples) / SAMPLE_HZ:.1f} s, too short for the script; "
            "give the words that are said in it"
        )
    told = [*noted, *spoken.timeline.warnings, *doubts(aligned)]
    if narrow:
        told.append(
            "narration: it holds nothing above 4 kHz, as a telephone's sound; record it at 16 kHz or above"
        )
    if (from_s := second_voice(samples)) is not None:
        told.append(
            f"narration: two voices seem to be heard, another one first at {from_s:.1f} s; "
            "whoever speaks has to agree, and one person's lips are moved"
        )
    timeline = aligned.timeline.model_copy(update={"warnings": tuple(told)})
    return Speech(samples, SAMPLE_HZ, timeline)


def doubts(aligned: Aligned) -> list[str]:
    """Where the recording may say something else. Raises ScriptRefused where it does throughout."""
    words, unlike = aligned.timeline.words, aligned.unlike
    mean = sum(unlike) / len(unlike)
    runs = [
        (sum(unlike[start : start + PASSAGE]) / len(unlike[start : start + PASSAGE]), start)
        for start in range(0, len(unlike), PASSAGE)
    ]
    worst = sorted(runs, reverse=True)[:PLACES]
    places = "; ".join(
        f"at {words[start].start_s:.1f} s {' '.join(word.text for word in words[start : start + PASSAGE])!r}"
        for distance, start in sorted(worst, key=lambda run: run[1])
        if distance > DOUBTFUL
    )
    if mean > OTHER:
        raise ScriptRefused(
            f"narration: what is heard is not what the script says ({mean:.2f} unlike, at most {OTHER} is "
            f"accepted): {places}. "
            "Give the words as they are said, in the language they are said in, without music"
        )
    if not places and mean > THROUGHOUT:
        places = f"throughout ({mean:.2f} unlike, at most {THROUGHOUT} is usual)"
    told = [f"narration: it may say something else than the script {places}"] if places else []
    return [*told, *_more(aligned)]


def _more(aligned: Aligned) -> list[str]:
    """Where the recording says more than the script: the longest places."""
    longest = sorted(aligned.strays, key=lambda stray: stray[0] - stray[1])[:PLACES]
    places = "; ".join(
        f"at {start_s:.1f} s for {end_s - start_s:.1f} s" for start_s, end_s in sorted(longest)
    )
    return [f"narration: it seems to say more than the script {places}"] if places else []
