"""Which videos of ours a file sounds like, and which it looks like, when no credentials say it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avatarlab_ops import engines
from avatarlab_ops.engines.watermark import perth
from avatarlab_ops.errors import MediaRefused
from avatarlab_ops.media import foreign, pictureprint, soundprint
from avatarlab_ops.media.audio import Samples, resample
from avatarlab_ops.media.pictureprint import Seen
from avatarlab_ops.media.soundprint import Words
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import prints, tables, transaction

# Share of a sound print's bits below which two sounds are the same: codecs change up to 0.1, noise at 10 dB
# 0.19; other speech differs in 0.26.
SAME = 0.2
# Similarity of two videos' motion, -1..1, from which they are the same: treated copies score >= 0.93, almost
# the same words <= 0.82.
MOVES = 0.85
# Similarity of two mean pictures, -1..1, from which they are alike: treated copies score >= 0.95, another
# background <= 0.2.
LOOKS = 0.85
# Speeds at which a file is tried beside its own: a print is still recognised at a speed that is 1.2 % off.
SPEEDS = (1.015, 0.985, 1.03, 0.97, 1.045, 0.955, 1.06, 0.94)
NEARBY = (1.0, 0.993, 1.007)  # factors on a speed at which pictures are compared
EXCERPT_S = 20.0  # length of the sound that is tried at other speeds
WATCHED_S = 120.0  # length of the picture that is compared
FIRST_WORDS, MOST_WORDS = 500, 8000  # words of a print looked up at first, and once those find nothing


@dataclass(frozen=True)
class Match:
    """What the sound or the picture of a file is like.

    `renders`: videos of ours, those still shown first. `told`: whether the file has enough of it to say so.
    """

    renders: tuple[str, ...]
    says: str
    told: bool
    speed: float = 1.0  # at which the file runs


def sound(settings: Settings, samples: Samples) -> Match:
    """The videos that say what these samples, mono at `soundprint.HZ`, say."""
    if not soundprint.words(samples).any():
        return Match((), "too short or silent to be told", told=False)
    found = _by_print(settings, samples, 1.0)
    excerpt = samples[: round(EXCERPT_S * soundprint.HZ)]
    for speed in SPEEDS:
        if found.renders:
            break
        found = _by_print(settings, resample(excerpt, 1000, round(1000 * speed)), speed)
    return found


def _by_print(settings: Settings, samples: Samples, speed: float) -> Match:
    every = soundprint.words(samples)
    for asked in _asked(every):
        with transaction(settings.pg_dsn) as db:
            near = [(soundprint.distance(every, np.array(one.words, np.int32)), one.artifact)
                    for one in prints.like(db, tables.SoundPrint, asked)]  # fmt: skip
            least, artifact = min(near, default=(1.0, ""))
            said = prints.videos(db, artifact) if least < SAME else []
        if said:
            says = f"that of {_named(said)}; {least:.0%} of its print differs{_at(speed)}"
            return Match(tuple(said), says, told=True, speed=speed)
    return Match((), "no published video sounds like it", told=True)


def _asked(every: Words) -> Iterator[list[int]]:
    """Words to look up: some as they are, then all with their variants; 0, silence, is none."""
    for given, most in ((every[:, 0], FIRST_WORDS), (every, MOST_WORDS)):
        words = np.unique(given[given != 0])
        yield words[:: 1 + len(words) // most].tolist()


def watermark(samples: Samples) -> tuple[bool, str]:
    """Whether the mark is in these samples, and where."""
    sure = engines.load("watermark", "perth").confidence(samples)
    marked = sum(one > perth.SURE for one in sure)
    return marked > 0, f"in {marked} of {len(sure)} parts of 10 s" if marked else "none"


def picture(settings: Settings, path: Path, heard: Match) -> Match:
    """The videos that show what a file shows; those that sound like it are compared in any case."""
    try:
        seen = foreign.watch(path, most_s=WATCHED_S)
    except MediaRefused as error:
        return Match((), str(error), told=False)
    if not pictureprint.words(seen).any():
        return Match((), "too short or too still to be told", told=False)
    for speed in dict.fromkeys((heard.speed, 1.0)) if heard.renders else (1.0, *SPEEDS):
        near = _alike(settings, seen.at_speed(1 / speed), heard.renders)
        if near:
            alike, renders = near
            says = f"that of {_named(renders)}; it moves alike to {alike:.0%}{_at(speed)}"
            return Match(renders, says, told=True)
    return _another(settings, heard)


def _alike(settings: Settings, seen: Seen, heard: Sequence[str]) -> tuple[float, tuple[str, ...]] | None:
    with transaction(settings.pg_dsn) as db:
        found = [one for asked in _asked(pictureprint.words(seen))
                 for one in prints.like(db, tables.PicturePrint, asked)]  # fmt: skip
        kept = {one.artifact: one for one in (*prints.pictures_of(db, heard), *found)}
        scores = ((_likeness(seen, one), artifact) for artifact, one in kept.items())
        alike = sorted((score for score in scores if score[0] >= MOVES), reverse=True)
        renders = [render for _, artifact in alike for render in prints.videos(db, artifact)]
    both = [render for render in renders if render in heard]
    return (alike[0][0], tuple(dict.fromkeys(both + renders))) if renders else None


def _likeness(seen: Seen, kept: tables.PicturePrint) -> float:
    """How alike they move, from -1 to 1; -1 where they do not look alike."""
    look = np.frombuffer(kept.look, np.uint8).reshape(seen.look.shape)
    if pictureprint.looks_alike(seen.look, look) < LOOKS:
        return -1.0
    curves = pictureprint.unpacked(kept.curves)
    return max(pictureprint.moves_alike(seen.at_speed(near).curves, curves) for near in NEARBY)


def _another(settings: Settings, heard: Match) -> Match:
    """What is said of a picture that is no video's of ours."""
    if heard.renders:
        with transaction(settings.pg_dsn) as db:
            if other := prints.unseen(db, heard.renders, pictureprint.LONGEST_BYTES):
                return Match((), f"of {other} no print of the whole picture is kept", told=False)
    return Match((), "no published video shows it", told=True)


def _named(renders: Sequence[str]) -> str:
    return renders[0] + (f" and of {len(renders) - 1} more that have it" if len(renders) > 1 else "")


def _at(speed: float) -> str:
    return "" if speed == 1.0 else f"; it runs at about {speed:.1%} of its speed"
