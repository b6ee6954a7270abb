"""Scripts as people paste them: scripts.tsv holds a language, what is written, what each sentence says."""

from dataclasses import replace
from pathlib import Path

import pytest

from avatarlab_ops import engines, script
from avatarlab_ops.reading import languages

TABLE = Path(__file__).with_name("scripts.tsv")


def cases() -> list[object]:
    kind, found = "", list[object]()
    for line in TABLE.read_text("utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:]
        else:
            language, written, said = line.split("\t")
            found.append(pytest.param(language, written, said, id=f"{language} {kind}: {written}"))
    return found


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> str:
    """An engine of all languages, for the one that has them is an extra."""
    scripts = ("Latin", "Devanagari", "Han", "Hiragana", "Katakana", "Cyrillic")
    entry = replace(engines.info("speech", "hibari"), name="reader", languages=languages(), scripts=scripts)
    monkeypatch.setitem(engines.known().engines, ("speech", "reader"), entry)
    return "reader"


@pytest.mark.parametrize(("language", "written", "said"), cases())
def test_each_sentence_is_said_as_a_person_would(reader: str, language: str, written: str, said: str) -> None:
    """In the table \\n is a new line, \\t a tab, and a bar stands between sentences."""
    text = written.replace("\\n", "\n").replace("\\t", "\t")
    found = script.sentences(text, engine=reader, language=language).sentences
    assert [sentence.spoken for sentence in found] == said.split(" | ")
