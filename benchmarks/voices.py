"""`make bench-voices`: how each voice is understood, how it sounds, how fast it is; docs/voices.md's table.

`python -m benchmarks.voices [--first N] [LANGUAGE...]` measures some anew; the others' figures are kept in
voices.json. Word (ja, zh: character) error rate by Whisper base on the ten sentences of voices.tsv, of zh
also of syllables; DNSMOS OVRL by the network in speechmos, which is fetched into a temporary folder; speed in
seconds of speech per second of one processor.
"""

# ruff: noqa: RUF001  (letters of many languages)

from __future__ import annotations

import argparse
import importlib
import json
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from avatarlab_ops import engines, script
from avatarlab_ops.engines.info import SpeechInfo, Voice
from avatarlab_ops.media.audio import resample
from avatarlab_ops.progress import silent
from avatarlab_ops.timeline import spaced

HERE = Path(__file__).parent
KEPT, PAGE = HERE / "voices.json", HERE.parent / "docs" / "voices.md"
TABLE = re.compile(r"(?<=<!-- make bench-voices -->\n).*?(?=<!-- end -->)", re.S)
UNSCORED = {"hi": "not scored: the recogniser writes Hindi in another script"}
FETCHED = ("speechmos==0.0.1.1", "zhconv-rs==0.4.2")  # for scoring only
HINTS = {"zh": "以下是普通话的句子。"}  # the recogniser writes simplified characters more often
MOS_HZ, MOS_S = 16_000, 9.01
# speechmos: from the network's OVRL to the scale of listeners.
MOS_CURVE = (-0.06766283, 1.11546468, 0.04602535)


@dataclass(frozen=True)
class Figures:
    """One voice in one language. `error`: None where it cannot be scored.

    `sounds`: of Chinese the rate of wrong syllables, tones included: words that sound alike are no error.
    """

    engine: str
    language: str
    voice: str
    error: float | None
    mos: float
    speed: float
    licence: str
    sounds: float | None = None


def main() -> None:
    """Measure what is asked for, and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=99, help="voices of each language")
    parser.add_argument("languages", nargs="*")
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE.parent / "tests"))
    with tempfile.TemporaryDirectory() as folder:
        mos = _mos_network(Path(folder))
        for info in (engines.info("speech", name) for name in engines.names("speech")):
            for language in (one for one in info.languages if not info.cuda):
                if not asked.languages or language in asked.languages:
                    for name in info.voices_of(language)[: asked.first]:
                        keep(measured(info, language, name, mos))


def measured(info: SpeechInfo, language: str, name: str, mos: Any) -> Figures:
    """One voice on the ten sentences of its language."""
    engine, lines = engines.load("speech", info.name), sentences(language)
    heard, scores, cpu_s, speech_s = list[str](), list[float](), 0.0, 0.0
    for line in lines:
        found = script.sentences(line, engine=info.name, language=language).sentences
        started = time.process_time()
        said = engine.speak(list(found), language=language, voice=name, seed=0, report=silent)
        cpu_s += time.process_time() - started
        speech_s += said.timeline.duration_s
        scores.append(_ovrl(mos, resample(said.samples, said.sample_rate, MOS_HZ)))
        heard.append("" if language in UNSCORED else _heard(said.samples, said.sample_rate, language))
    error = None if language in UNSCORED else _error(lines, heard, language)
    voice = next(one for one in info.voices if one.name == name)
    return Figures(
        info.name, language, name, error, float(np.mean(scores)), speech_s / cpu_s, _licence(voice),
        _sound_error(lines, heard) if language == "zh" else None,
    )  # fmt: skip


def sentences(language: str) -> list[str]:
    """The ten sentences of a language."""
    rows = [line.split("\t") for line in (HERE / "voices.tsv").read_text(encoding="utf-8").splitlines()]
    return [text for code, text in rows if code == language.partition("-")[0]]


def keep(found: Figures) -> None:
    """Put the figures among the others, and the table into the page."""
    every = {(row["engine"], row["language"], row["voice"]): row for row in kept()}
    every[found.engine, found.language, found.voice] = asdict(found)
    KEPT.write_text(json.dumps(list(every.values()), indent=1), encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(TABLE.sub(lambda _: table([Figures(**row) for row in every.values()]), page), "utf-8")
    print(asdict(found), flush=True)


def kept() -> list[dict[str, Any]]:
    """The figures of earlier runs."""
    return list(json.loads(KEPT.read_text(encoding="utf-8"))) if KEPT.exists() else []


def table(rows: list[Figures]) -> str:
    """Markdown, by language, the default voice first."""
    said = [
        "| language | engine | voice | errors | DNSMOS | speed | licence |",
        "|---|---|---|---|---|---|---|",
    ]
    order = {(name, v): n for name in engines.names("speech") for n, v in enumerate(_names(name))}
    for row in sorted(
        rows, key=lambda one: (one.language, one.engine, order.get((one.engine, one.voice), 0))
    ):
        kind = "WER" if spaced(row.language) else "CER"
        error = UNSCORED.get(row.language) or f"{kind} {row.error:.3f}"
        error += f", syllables {row.sounds:.3f}" if row.sounds is not None else ""
        said.append(
            f"| {row.language} | `{row.engine}` | `{row.voice}` | {error} | {row.mos:.2f} | {row.speed:.1f} "
            f"| {row.licence} |"
        )
    return "\n".join(said) + "\n"


def _names(engine: str) -> tuple[str, ...]:
    return engines.info("speech", engine).voice_names


def _licence(voice: Voice) -> str:
    return "Apache-2.0" if "Apache" in voice.terms else voice.terms.split(" (")[0]


def _heard(samples: Any, rate: int, language: str) -> str:
    from kit.recognise import _model

    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        soundfile.write(file.name, samples, rate)
        code = language.partition("-")[0]
        segments, _ = _model().transcribe(
            file.name,
            language=code,
            beam_size=5,
            condition_on_previous_text=False,
            initial_prompt=HINTS.get(code),
        )
        return " ".join(segment.text.strip() for segment in segments)


def _error(lines: list[str], heard: list[str], language: str) -> float:
    import jiwer

    by = jiwer.wer if spaced(language) else jiwer.cer
    return float(by([_plain(line, language) for line in lines], [_plain(line, language) for line in heard]))


def _sound_error(lines: list[str], heard: list[str]) -> float:
    import jiwer
    from pypinyin import Style, lazy_pinyin

    def said(text: str) -> str:
        plain = _plain(text, "zh")
        return " ".join(lazy_pinyin(plain, style=Style.TONE3, neutral_tone_with_five=True))

    return float(jiwer.wer([said(line) for line in lines], [said(line) for line in heard]))


def _plain(text: str, language: str) -> str:
    """Lower case without punctuation; digits in words where the language has them."""
    from avatarlab_ops.reading import read

    text = read(unicodedata.normalize("NFKC", text).replace("’", "'"), language).said.lower()
    text = text.replace("ё", "е") if language == "ru" else text
    if language == "zh":  # the recogniser mixes simplified and traditional characters
        text = importlib.import_module("zhconv_rs").zhconv(text, "zh-Hans")
    return re.sub(r"[\W_]+", " " if spaced(language) else "", text).strip()


def _mos_network(folder: Path) -> Any:
    """DNSMOS's network, out of a package that nothing else here needs."""
    uv = str(Path(sys.executable).with_name("uv"))
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *FETCHED]
    subprocess.run(command, check=True)
    sys.path.append(str(folder))
    runtime = importlib.import_module("onnxruntime")
    model = folder / "speechmos" / "dnsmos_models" / "sig_bak_ovr.onnx"
    return runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"])


def _ovrl(network: Any, samples: Any) -> float:
    """Overall quality, 1 to 5, over windows of 9 s, one a second."""
    wide = round(MOS_S * MOS_HZ)
    samples = np.asarray(samples, np.float32) / max(1e-6, float(np.abs(samples).max()))
    samples = np.tile(samples, -(-wide // len(samples)))
    starts = range(0, len(samples) - wide + 1, MOS_HZ)
    raw = [network.run(None, {"input_1": samples[None, at : at + wide]})[0][0][2] for at in starts]
    return float(np.mean(np.polyval(MOS_CURVE, raw)))


if __name__ == "__main__":
    main()
