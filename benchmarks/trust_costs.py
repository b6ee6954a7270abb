"""`python -m benchmarks trust_costs [PART...]`: what marks, prints, signatures and looking them up cost.

Parts: demo (its file marked and signed), large (signing 100 MB; verify of 2 GB), prints (a million
of them), voices (what the mark costs of DNSMOS; Kokoro's by `make voices`, and not unless it is named).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import sqlalchemy as sa

from avatarlab_ops import engines, script
from avatarlab_ops.engines.watermark import perth
from avatarlab_ops.media import pictureprint, soundprint
from avatarlab_ops.media.audio import resample
from avatarlab_ops.media.limits import Limits
from avatarlab_ops.media.sound import read_sound
from avatarlab_ops.plan import Plan
from avatarlab_ops.progress import silent
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import prints, records, tables, transaction
from avatarlab_ops.trust import credentials, recognise, signing
from avatarlab_ops.trust.verify import verify
from benchmarks.trust import Clip, published, stores

DEMO = Path(__file__).parents[1] / "demo" / "request.json"
TIMES = 5
LARGE_BYTES = 100_000_000
MILLION, WORDS = 1_000_000, 48
HEARD = {"hibari": ("heart",), "kokoro": ("bf_emma", "bf_alice", "bf_isabella", "bf_lily")}


def _took(work: Callable[[], object], times: int = TIMES) -> float:
    """Seconds of the processor, median."""
    taken = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


@contextmanager
def _demo(settings: Settings) -> Iterator[tuple[Path, Clip, dict[str, Any]]]:
    """A folder, the demo's video in it, and its manifest."""
    asked = json.loads(DEMO.read_text(encoding="utf-8"))
    del asked["avatar"]
    with tempfile.TemporaryDirectory() as place:
        for clip, manifest in published(settings, Path(place), [asked.pop("script")], **asked):
            yield Path(place), clip, manifest


def demo(settings: Settings) -> None:
    """The demo's file: what its marks, prints and signature take of its render's work."""
    with _demo(settings) as (folder, clip, manifest):
        sound = read_sound(clip.path, 48_000, max_s=60)
        heard, length = resample(sound, 48_000, soundprint.HZ), manifest["measures"]["duration_s"]
        mark = engines.load("watermark", "perth")
        work = sum(made["compute_s"] for made in manifest["artifacts"].values())
        parts = {
            "mark": _took(lambda: list(mark.marked([sound], 48_000))),
            "print of its picture": _took(lambda: pictureprint.watch(clip.path)),
            "print of its sound": _took(lambda: soundprint.words(heard)),
            "signing and reading back": _took(lambda: _signed(settings, clip, clip.path, folder)),
        }
        print(f"the demo's file: {length:.1f} s, {clip.path.stat().st_size:,} bytes, {work:.1f} s of work")
        for name, seconds in parts.items():
            a_minute = 60 * seconds / length
            print(f"{name}: {1000 * seconds:.0f} ms, {a_minute:.2f} s a minute of video")
        share = 100 * sum(parts.values()) / work
        first = manifest["credentials"]["sign_s"]
        print(
            f"all of it: {share:.1f} % of the work; the first signature, which loads the library: {first} s"
        )


def _signed(settings: Settings, clip: Clip, video: Path, folder: Path) -> None:
    """Sign a video as that of a render, in a folder of its own."""
    signer = signing.identity(settings.home)
    assert signer is not None
    with transaction(settings.pg_dsn) as db:
        plan = Plan.model_validate(records.find(db, clip.render_id or "").plan)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        given = Path(place) / "video.mp4"
        given.hardlink_to(video)
        claimed = credentials.claim(clip.render_id or "", plan, signer.provider)
        credentials.sign(given, Path(place), claimed, signer)


def large(settings: Settings) -> None:
    """Signing 100 MB beside hashing and copying them; verify of 2 GB with what memory it takes."""
    with _demo(settings) as (folder, clip, _):
        plain, copy = folder / "plain.mp4", folder / "copy.mp4"
        _lengthened(clip.path, plain, most_bytes=LARGE_BYTES)
        print(f"a video of {plain.stat().st_size:,} bytes")
        print(f"signing and reading back: {_took(lambda: _signed(settings, clip, plain, folder), 3):.2f} s")
        print(f"SHA-256 of the same: {_took(lambda: _hashed(plain), 3):.2f} s")
        print(f"copying it: {_took(lambda: shutil.copyfile(plain, copy), 3):.2f} s")
        _lengthened(clip.path, plain, most_bytes=Limits().max_bytes)
        seconds = _length_s(plain)
        with _peak() as peak:
            started = time.perf_counter()
            found = verify(settings, plain)
            took = time.perf_counter() - started
        own, children = (bytes_ >> 20 for bytes_ in (peak["own"], peak["child"]))
        print(f"verify of {plain.stat().st_size:,} bytes, {seconds:.0f} s of video: {took:.1f} s")
        print(f"memory at most: this process {own} MiB, a decoding child {children} MiB")
        print(f"told: {found.verdict}: {'; '.join(f'{one.name}: {one.says}' for one in found.layers)}")


def _length_s(path: Path) -> float:
    """Seconds that a file says it has."""
    with av.open(str(path)) as given:
        return float(given.duration or 0) / av.time_base


def _hashed(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def _lengthened(source: Path, target: Path, *, most_bytes: int) -> None:
    """A video again and again, at some 14 Mbit/s in 1080p, for 20 minutes or up to so many bytes."""
    heavy = target.with_name("heavy.mp4")
    _heavy(source, heavy)
    with av.open(str(heavy)) as given, av.open(str(target), "w") as made:
        round_s = float(given.duration or 0) / av.time_base + 0.04  # a gap, so that no packets overlap
        packets = [packet for packet in given.demux() if packet.dts is not None]
        streams = {one.index: made.add_stream_from_template(one) for one in given.streams}
        size = sum(packet.size for packet in packets)
        for number in range(min(int(Limits().max_duration_s / round_s), int(0.995 * most_bytes / size))):
            for packet in packets:
                made.mux(_later(packet, number * round_s, streams[packet.stream.index]))


def _later(packet: av.Packet, shift_s: float, stream: av.VideoStream | av.AudioStream) -> av.Packet:
    """The same packet so much later: muxing changes the times of the one that is given."""
    again = av.Packet(bytes(packet))
    shift = round(shift_s / float(packet.time_base or 1))
    again.pts, again.dts = (packet.pts or 0) + shift, (packet.dts or 0) + shift
    again.time_base, again.is_keyframe, again.stream = packet.time_base, packet.is_keyframe, stream
    return again


def _heavy(source: Path, target: Path) -> None:
    """In 1080p at 14 Mbit/s, with noise that needs them; sound and picture of one length."""
    noise = np.random.default_rng(1).integers(0, 24, (1080, 1920, 3), np.uint8)
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        shown = made.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "0"})
        shown.width, shown.height, shown.pix_fmt, shown.bit_rate = 1920, 1080, "yuv420p", 14_000_000
        heard = made.add_stream_from_template(given.streams.audio[0])
        frames = 0
        for packet in given.demux():
            if packet.stream.type == "audio" and packet.dts is not None:
                packet.stream = heard
                made.mux(packet)
            for frame in packet.decode() if packet.stream.type == "video" else ():
                pixels = frame.to_ndarray(format="rgb24", width=1920, height=1080)
                again = av.VideoFrame.from_ndarray(pixels // 2 + np.roll(noise, 7 * frames, 1), "rgb24")
                again.pts, frames = frames, frames + 1
                made.mux(shown.encode(again))
        made.mux(shown.encode(None))


@contextmanager
def _peak() -> Iterator[dict[str, int]]:
    """Most resident bytes of this process and of its decoding children, looked at 20 times a second."""
    found, done, own = {"own": 0, "child": 0}, threading.Event(), psutil.Process()

    def look() -> None:
        while not done.wait(0.05):
            found["own"] = max(found["own"], own.memory_info().rss)
            for one in own.children(recursive=True):
                try:
                    if any("foreign.zygote" in word for word in one.cmdline()):
                        found["child"] = max(found["child"], one.memory_info().rss)
                except psutil.Error:
                    continue  # it has ended

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


_FILL = """
    INSERT INTO sound_print
    SELECT number::text, ARRAY(
        SELECT (random() * 4294967295 - 2147483648)::bigint::int FROM generate_series(1, :words)
        WHERE number > 0)
    FROM generate_series(1, :count) AS number
"""


def lookups(settings: Settings) -> None:
    """One of a million prints of random words, found by some of its words among others."""
    chance = np.random.default_rng(1)
    with transaction(settings.pg_dsn) as db:
        db.execute(sa.text("ALTER TABLE sound_print DROP CONSTRAINT fk_sound_print_artifact_artifact"))
        db.execute(sa.text("DROP INDEX ix_sound_print_words"))
        db.execute(sa.text(_FILL), {"count": MILLION, "words": WORDS})
        db.execute(sa.text("SET LOCAL maintenance_work_mem = '1GB'"))
        db.execute(sa.text("CREATE INDEX ix_sound_print_words ON sound_print USING gin (words)"))
        size = db.scalar(sa.text("SELECT pg_relation_size('ix_sound_print_words')"))
    print(f"{MILLION:,} prints of {WORDS} words, an index of {size / 1e9:.1f} GB")
    for asked in (recognise.FIRST_WORDS, recognise.MOST_WORDS // 2, recognise.MOST_WORDS):
        taken = []
        for number in chance.integers(1, MILLION, 15):
            taken.append(_lookup(settings, str(number), asked, chance))
        most = 1000 * max(taken)
        print(f"asked by {asked} words: {1000 * statistics.median(taken):.0f} ms, {most:.0f} ms at most")


def _lookup(settings: Settings, wanted: str, asked: int, chance: np.random.Generator) -> float:
    """Seconds until it is found, by all its words among as many others as make up `asked`."""
    with transaction(settings.pg_dsn) as db:
        print_ = db.get_one(tables.SoundPrint, wanted)
        others = chance.integers(-(2**31), 2**31, asked - WORDS).tolist()
        words = [*print_.words, *others]
        db.expunge_all()
        started = time.perf_counter()
        found = prints.like(db, tables.SoundPrint, words)
        taken = time.perf_counter() - started
    assert found[0].artifact == wanted
    return taken


def voices(_: Settings | None = None) -> None:
    """What the mark costs of each voice's DNSMOS, by ten sentences, and how surely it is heard."""
    from benchmarks import voices as bench

    mark = engines.load("watermark", "perth")
    with tempfile.TemporaryDirectory() as folder:
        network = bench._mos_network(Path(folder))
        print("| voice | DNSMOS without | with | loss | standard error | heard with, at least |")
        print("|---|---|---|---|---|---|")
        for name, speakers in HEARD.items():
            for voice in speakers if name in engines.names("speech") else ():
                rows = [_audible(line, name, voice, mark, network) for line in bench.sentences("en")]
                plain, marked, sure = (np.array(column) for column in zip(*rows, strict=True))
                print(f"| `{voice}` | {_columns(plain, marked, sure)} |", flush=True)


def _columns(plain: np.ndarray, marked: np.ndarray, sure: np.ndarray) -> str:
    lost = plain - marked
    means = f"{plain.mean():.3f} | {marked.mean():.3f} | {lost.mean():.3f}"
    return f"{means} | {lost.std(ddof=1) / len(lost) ** 0.5:.3f} | {sure.min():.2f}"


def _audible(line: str, engine: str, voice: str, mark: Any, network: Any) -> tuple[float, float, float]:
    """(DNSMOS as spoken, DNSMOS with the mark, how surely it is heard)."""
    from benchmarks import voices as bench

    language = "en-US" if engine == "hibari" else "en-GB"
    found = script.sentences(line, engine=engine, language=language).sentences
    said = engines.load("speech", engine).speak(
        list(found), language=language, voice=voice, seed=0, report=silent
    )
    marked = np.concatenate(list(mark.marked([said.samples], said.sample_rate)))
    mos = [
        bench._ovrl(network, resample(one, said.sample_rate, bench.MOS_HZ)) for one in (said.samples, marked)
    ]
    sure = mark.confidence(resample(marked, said.sample_rate, perth.HZ))
    return mos[0], mos[1], min(sure, default=float("nan"))


PARTS: dict[str, Callable[[Settings], None]] = {"demo": demo, "large": large, "prints": lookups}


def main() -> None:
    """Print the parts that are named, or all that need nothing beyond `make setup`."""
    asked = sys.argv[1:] or list(PARTS)
    if "voices" in asked:
        voices()
    with stores() as settings:
        for name in (one for one in asked if one != "voices"):
            print(f"-- {name} --", flush=True)
            PARTS[name](settings)


if __name__ == "__main__":
    main()
