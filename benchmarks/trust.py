"""`python -m benchmarks trust`: what verify recognises after what was done to a video: docs/trust.md's table.

Published videos and two kinds of strangers go through the same treatments. A stranger of ours shows the first
published video's picture, and says with the same voice what another published one says but for its first
words: it is to be told as `mixed` or `other_sound`. Other strangers say the same with another voice and show
another picture: they are to be told as `foreign`; what else they are told as is a false alarm.

    python -m benchmarks.trust [--each 30] [--only excerpt]
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from avatarlab_ops import engines, pipeline, script
from avatarlab_ops.embedded import servers
from avatarlab_ops.media import pictureprint
from avatarlab_ops.media.audio import Samples, resample, write_speech
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.objects import objects, split_or_refuse
from avatarlab_ops.trust.verify import verify
from benchmarks.treatments import HZ, LONG_TREATMENTS, TREATMENTS, Treatment, again, other_look, same

EACH = 30  # videos of ours, and clips of strangers of each kind
OTHER_VOICE = 1.25  # times the speed and pitch: beyond what prints bear
_WHO = ("The captain", "Our teacher", "A young doctor", "The old baker", "My neighbour", "Nobody")
_VERBS = (
    "opened",
    "carried",
    "sold",
    "painted",
    "finished",
    "found",
    "closed",
    "counted",
    "repaired",
    "drew",
)
_WHAT = (
    "the small office", "forty letters", "every ticket for the concert", "the garden wall",
    "the long report", "the paper map", "the wooden bridge", "a picture of the harbour",
    "the ships from the north", "the broken engine of the last bus",
)  # fmt: skip
_WHEN = (
    "before the rain began", "across the frozen river", "on Monday morning", "with bright blue colour",
    "for the price of bread", "under a heavy wooden table", "until the water had gone down",
    "behind the old museum", "early in September", "without saying a word",
)  # fmt: skip


@dataclass(frozen=True)
class Clip:
    """A file, and the render that made it, if it is ours."""

    path: Path
    render_id: str | None = None


def texts(clauses: int) -> tuple[list[str], list[str]]:
    """Scripts of ours and of strangers; of six neighbours, three of each, only the first words differ."""
    every = (
        f"{who} {_said(number * clauses + 10 * (clauses > 1), clauses)}."
        for number in itertools.count()
        for who in _WHO
    )
    some = list(itertools.islice(every, 2 * EACH))
    return some[::2], some[1::2]


def _said(first: int, clauses: int) -> str:
    """Some clauses one after the other; the first hundred of them are all different."""
    return ", then ".join(
        f"{_VERBS[n % 10]} {_WHAT[(n // 10 + 3 * n) % 10]} {_WHEN[(n // 10 + 7 * n) % 10]}"
        for n in range(first, first + clauses)
    )


@contextmanager
def stores() -> Iterator[Settings]:
    """Real servers with nothing in them."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / ".avatarlab"
        try:
            settings = servers.ensure(home)
            pipeline.prepare_stores(settings)
            yield settings
        finally:
            servers.stop(home)


def published(
    settings: Settings, folder: Path, scripts: list[Any], **asked: Any
) -> Iterator[tuple[Clip, dict[str, Any]]]:
    """Each script's video, published for the demo's portrait, and its manifest."""
    store = objects(settings)
    portrait = Path(__file__).parents[1] / "demo" / "astronaut.png"
    avatar = {"uri": store.put_if_absent(settings.bucket_inputs, "portrait.png", portrait).uri}
    for script_ in scripts:
        made = pipeline.render(settings, {"script": script_, "avatar": avatar} | asked)
        path = folder / f"{made.render_id}.mp4"
        path.write_bytes(store.read(*split_or_refuse(made.video_uri)))
        yield Clip(path, made.render_id), json.loads(store.read(*split_or_refuse(made.manifest_uri)))


def _strangers(folder: Path, said: list[str], like: Path) -> tuple[list[Clip], list[Clip]]:
    """(strangers of ours, other strangers), each with speech of its own."""
    close, far = [], []
    for number, text in enumerate(said):
        speech = _speech(text, folder)
        other = resample(speech, 100, round(100 * OTHER_VOICE))
        places = [folder / f"{like.stem}-{kind}{number}.mp4" for kind in ("close", "far")]
        for place, picture, heard in zip(places, (same, other_look), (speech, other), strict=True):
            again(like, place, picture, lambda _, heard=heard: heard, codec="aac", rate=128_000)  # type: ignore[misc]
        close.append(Clip(places[0]))
        far.append(Clip(places[1]))
    return close, far


def _speech(text: str, folder: Path) -> Samples:
    found = script.sentences(text, engine="hibari", language="en-US").sentences
    engine = engines.load("speech", "hibari")
    said = engine.speak(list(found), language="en-US", voice="heart", seed=0, report=silent)
    write_speech(folder / "said.wav", said.samples, said.sample_rate)
    return read_sound(folder / "said.wav", HZ, max_s=60)


def _lines(
    settings: Settings, folder: Path, treatments: dict[str, Treatment], ours: list[Clip],
    strangers: tuple[list[Clip], list[Clip]],
) -> None:  # fmt: skip
    """A line of the table for each treatment."""
    for name, treated in treatments.items():
        started = time.monotonic()
        told, layers, right = Counter[str](), Counter[str](), 0
        for clip in ours:
            found = verify(settings, treated(clip.path, folder))
            told[found.verdict] += 1
            layers.update(layer.name for layer in found.layers if layer.recognised)
            right += found.render_id == clip.render_id
        others = [
            Counter(verify(settings, treated(one.path, folder)).verdict for one in kind) for kind in strangers
        ]
        columns = (name, _counts(told), _counts(layers), f"{right} of {len(ours)}", *map(_counts, others))
        print(f"| {' | '.join(columns)} |", flush=True)
        files = len(ours) + sum(map(len, strangers))
        print(f"  ({(time.monotonic() - started) / files:.2f} s a file)", flush=True)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"`{name}` {count}" for name, count in found.most_common()) or "none"


def _alike(ours: list[Clip]) -> None:
    """How alike the published pictures move: what `recognise.MOVES` has to lie above."""
    curves = [pictureprint.watch(clip.path).curves for clip in ours]
    most = max(pictureprint.moves_alike(one, other) for one, other in itertools.combinations(curves, 2))
    print(f"two of these videos move alike to {most:.2f} at most")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--only", default="", help="treatments whose name holds this")
    options = parser.parse_args()
    shape = {"output": {"resolution": "360p", "aspect": "1:1"}}
    with stores() as settings, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        print("| treatment | told as | layers that recognised | right render | strangers with our picture "
              "and almost our words | other strangers |\n|---|---|---|---|---|---|")  # fmt: skip
        for clauses, treatments in ((1, TREATMENTS), (4, LONG_TREATMENTS)):
            asked = {name: how for name, how in treatments.items() if options.only in name}
            own, foreign = (some[: options.each] for some in texts(clauses))
            if not asked:
                continue
            ours = [clip for clip, _ in published(settings, folder, own, **shape)]
            _lines(settings, folder, asked, ours, _strangers(folder, foreign, ours[0].path))
            lengths = [len(read_sound(clip.path, HZ, max_s=60)) / HZ for clip in ours]
            print(f"({len(ours)} videos of {min(lengths):.1f} to {max(lengths):.1f} s)")
            _alike(ours)


if __name__ == "__main__":
    main()
