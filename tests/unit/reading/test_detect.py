"""A text in another language than asked for is told, where that is certain."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from avatarlab_ops.cli import main
from avatarlab_ops.reading.detect import another
from avatarlab_ops.script import sentences

SENTENCES = [
    line.split("\t")
    for line in (Path(__file__).parents[3] / "benchmarks" / "voices.tsv").read_text("utf-8").splitlines()
]


def test_no_sentence_is_taken_for_another_language() -> None:
    assert [text for language, text in SENTENCES if another(text, language)] == []


def test_most_sentences_asked_in_another_language_are_told() -> None:
    long = [text for language, text in SENTENCES if language not in ("en", "hi") and len(text) > 45]
    told = [text for text in long if "is read as English" in another(text, "en-US")]
    assert len(told) >= 0.85 * len(long)


@pytest.mark.parametrize(
    "text",
    [
        "Hallo Welt.",
        "Jane Doe, CEO, Acme Corp.",
        "PIN 0042 costs $20.",
        "Kubernetes, PostgreSQL, MinIO, Airflow.",
        "",
    ],
)
def test_short_texts_names_and_figures_are_not_judged(text: str) -> None:
    assert another(text, "fr") == another(text, "it") == ""


def test_it_is_a_note_of_the_script_once_whatever_its_parts() -> None:
    german = "Der Garten hinter dem Haus ist im Sommer jeden Tag offen."
    found = sentences([(german, None), ("Wir freuen uns auf Ihren Besuch am Wochenende.", None)])
    assert [note for note in found.warnings if "looks like" in note] == [
        'the script looks like German and is read as English; "language": "de" reads it so'
    ]
    assert sentences("The garden behind the house is open every day in summer.").warnings == ()


def test_say_tells_it(tmp_path: Path) -> None:
    file = tmp_path / "script.txt"
    file.write_text("Le jardin derrière la maison est ouvert tous les jours en été.", encoding="utf-8")
    said = CliRunner().invoke(main, ["say", "--text", str(file)])
    assert (
        'note: the script looks like French and is read as English; "language": "fr" reads it so'
        in said.output
    )
