"""A table's texts go to translators as XLIFF 2 and come back as columns of languages."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from avatarlab_ops import cli
from avatarlab_ops.bulk import handoff, languages, rows, xliff
from avatarlab_ops.errors import RequestInvalid

TABLE = (
    "key,avatar.uri,script,language\n"
    'a/1,s3://inputs/a.png,"Welcome <b>aboard</b> & ""enjoy"".\nMind the gap.",en-US\n'
    "b,s3://inputs/b.png,Goodbye.,\n"
)


def sent(table: str = TABLE, **more: str) -> bytes:
    asked = handoff.table(table.encode(), "t.csv")
    return xliff.write(handoff.out(asked, ("script",), "en-US", more.get("to", "es")))


def translated(document: bytes, **targets: str) -> bytes:
    """As a translator's tool gives it back: with targets after the sources of these beginnings."""
    text = document.decode()
    for begin, target in targets.items():
        at = text.index("</source>", text.index(f'preserve">{begin}')) + len("</source>")
        text = f"{text[:at]}<target>{target}</target>{text[at:]}"
    return text.encode()


def into(table: str, *documents: bytes) -> tuple[str, list[str]]:
    read = [xliff.read(one, "d.xlf") for one in documents]
    return handoff.into(handoff.table(table.encode(), "t.csv"), read)


def test_texts_come_back_as_a_bulk_file_in_every_language() -> None:
    spanish = translated(sent(), Welcome="Te damos la bienvenida.", Goodbye="Adi\u00f3s.")
    french = translated(sent(to="fr"), Welcome="Bienvenue \u00e0 bord.")
    made, told = into(TABLE, spanish, french)
    assert told == ["fr: 1 of 2 texts are not translated yet"]
    found = [row for row in rows.read(io.BytesIO(made.encode()), "m.csv") if isinstance(row, rows.Row)]
    items = [
        (row.values["key"], language, values["script"])
        for row in found
        for language, values in languages.items(
            {name: value for name, value in row.values.items() if name != "key"}, template=False
        )
    ]
    assert items == [
        ("a/1", "en-US", 'Welcome <b>aboard</b> & "enjoy".\nMind the gap.'),
        ("a/1", "es", "Te damos la bienvenida."),
        ("a/1", "fr", "Bienvenue \u00e0 bord."),
        ("b", "en-US", "Goodbye."),
        ("b", "es", "Adi\u00f3s."),
    ]


def test_voice_and_recording_stay_with_the_language_of_the_table() -> None:
    table = "key,script,voice,narration.uri,seed\na,Goodbye.,,s3://inputs/a.wav,7\nb,Hello.,heart,,\n"
    made, _ = into(table, translated(sent(table), Goodbye="Adi\u00f3s.", Hello="Hola."))
    assert made == (
        "key,script:en-US,voice:en-US,narration.uri:en-US,seed,script:es\n"
        "a,Goodbye.,,s3://inputs/a.wav,7,Adi\u00f3s.\nb,Hello.,heart,,,Hola.\n"
    )


def test_what_a_table_says_in_its_language_is_not_replaced_by_what_it_says_for_all() -> None:
    table = "key,voice:en-US,script,voice\na,af_sky,Goodbye.,heart\nb,,Hello.,heart\n"
    made, _ = into(table, sent(table))
    assert made == "key,voice:en-US,script:en-US,script:es\na,af_sky,Goodbye.,\nb,heart,Hello.,\n"


def test_a_templates_variable_may_be_called_voice() -> None:
    table = handoff.table(b"key,title,voice\na,Goodbye.,calm\n", "t.csv")
    document = xliff.write(handoff.out(table, ("title",), "en-US", "es"))
    made, _ = handoff.into(table, [xliff.read(document, "d.xlf")])
    assert made == "key,title:en-US,voice,title:es\na,Goodbye.,calm,\n"


def test_what_is_translated_already_goes_along() -> None:
    made, _ = into(TABLE, translated(sent(), Welcome="Te damos la bienvenida."))
    again = xliff.read(sent(made), "d.xlf")
    assert again.texts["a/1", "script"][1] == "Te damos la bienvenida."
    assert again.texts["b", "script"] == ("Goodbye.", "")


def test_a_tool_may_cut_a_text_into_segments_and_mark_words() -> None:
    cut = (
        "<segment><source>One.</source><target>Uno<mrk id='m1' type='term'>.</mrk></target></segment>"
        "<ignorable><source> </source></ignorable>"
        "<segment><source>Two.</source><target><pc id='1'>Dos</pc>.<ph id='2'/></target></segment>"
    )
    assert read_parts(cut) == ("One. Two.", "Uno. Dos.")


def test_what_a_tool_put_aside_as_original_data_is_part_of_the_text() -> None:
    cut = (
        '<originalData><data id="d1">&lt;b></data><data id="d2">&lt;/b></data><data id="d3">%s</data>'
        '</originalData><segment><source><pc id="1" dataRefStart="d1" dataRefEnd="d2">One</pc>. '
        '<ph id="2" dataRef="d3"/></source><target><ph id="2" dataRef="d3"/>. '
        '<sc id="1" dataRef="d1"/>Uno<ec startRef="1" dataRef="d2"/></target></segment>'
    )
    assert read_parts(cut) == ("<b>One</b>. %s", "%s. <b>Uno</b>")
    with pytest.raises(RequestInvalid, match="line 4: <ph>: no <data> of the unit has the id 'd9'"):
        read_parts(cut.replace('dataRef="d3"', 'dataRef="d9"'))


@pytest.mark.parametrize(
    ("state", "target"), [("", ""), (' state="initial"', ""), (' state="final"', "Uno y dos. ")]
)
def test_an_empty_target_is_a_translation_only_where_it_is_said_to_be_done(state: str, target: str) -> None:
    cut = (
        "<segment><source>One. </source><target>Uno y dos. </target></segment>"
        f"<segment{state}><source>Two.</source><target/></segment>"
    )
    assert read_parts(cut) == ("One. Two.", target)


def read_parts(parts: str) -> tuple[str, str]:
    """Source and target of a unit that a tool has cut into these."""
    document = sent("key,script\nb,One. Two.\n").decode()
    cut, times = re.subn("<segment>.*</segment>", parts, document)
    assert times == 1
    return xliff.read(cut.encode(), "d.xlf").texts["b", "script"]


def test_segments_that_a_translator_reordered_stay_so() -> None:
    cut = (
        "<segment><source>One.</source><target order='3'>one</target></segment>"
        "<ignorable><source> </source></ignorable>"
        "<segment><source>Two.</source><target order='1'>Two before</target></segment>"
    )
    assert read_parts(cut) == ("One. Two.", "Two before one")
    with pytest.raises(RequestInvalid, match="line 4: order is 'x'; the place of"):
        read_parts(cut.replace("'3'", "'x'"))


def test_documents_of_one_language_fill_each_other_and_must_agree() -> None:
    first, second = translated(sent(), Welcome="Bienvenida."), translated(sent(), Goodbye="Adi\u00f3s.")
    for documents in ((first, second), (second, first)):
        made, told = into(TABLE, *documents)
        assert ("Bienvenida." in made, "Adi\u00f3s." in made, told) == (True, True, [])
    again, told = into(made, sent())
    assert ("Bienvenida." in again, told) == (True, []), "what the table has is not emptied"
    with pytest.raises(RequestInvalid, match="es: b: script is translated in two ways"):
        into(TABLE, second, translated(sent(), Goodbye="Chao."))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("Goodbye.", "Bye."), "b: script has changed since it went to the translators"),
        (("\nb,", "\nc,"), "b: no such row"),
        (("en-US", "fr"), "a/1: language is 'fr', the documents come from en-US"),
        (("key", "name"), "find their rows by the column 'key'"),
        (("\nb,", "\na/1,"), "line 4: its key 'a/1' is empty or another row's"),
    ],
)
def test_documents_of_another_table_are_refused(change: tuple[str, str], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        into(TABLE.replace(*change), translated(sent(), Goodbye="Adi\u00f3s."))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            (xliff.NAMESPACE, "urn:oasis:names:tc:xliff:document:1.2"),
            "line 2: is not XLIFF 2.0 or 2.1 but <xliff>",
        ),
        ((' trgLang="es"', ""), "line 2: <xliff> needs srcLang and trgLang"),
        (('name="script/b"', 'name="script/a/1"'), "line 6: the text script/a/1 is there twice"),
        (('name="script/b"', ""), "line 6: <unit> has no name such as script/KEY"),
        (("<xliff", '<!DOCTYPE x [<!ENTITY a "b">]><xliff'), "line 2: a document type is not allowed"),
        (("Goodbye.", 'Good<cp hex="0007"/>bye.'), "line 6: <cp> stands for a control character"),
    ],
)
def test_a_document_that_is_none_of_ours_is_refused_with_its_line(change: tuple[str, str], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        xliff.read(sent().decode().replace(*change).encode(), "d.xlf")


def test_what_xml_cannot_hold_is_refused_when_it_is_sent() -> None:
    with pytest.raises(RequestInvalid, match=r"b: script holds U\+0007"):
        sent("key,script\nb,Ding\x07\n")
    with pytest.raises(RequestInvalid, match="no column 'title'; it has key, script"):
        handoff.out(handoff.table(b"key,script\na,b\n", "t.csv"), ("title",), "en-US", "es")


@pytest.mark.parametrize(
    ("from_", "to", "said"),
    [
        ("de", "es", "a/1: language is 'en-US', de is asked for"),
        ("en-US", "spanish", "--to: 'spanish' is not a BCP 47 tag"),
        ('e"s', "es", "--from: .* is not a BCP 47 tag"),
        ("en-US", "en-US", "--to: the texts are in en-US already"),
    ],
)
def test_languages_that_cannot_come_back_do_not_go_out(from_: str, to: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        handoff.out(handoff.table(TABLE.encode(), "t.csv"), ("script",), from_, to)


def test_the_command_line_goes_both_ways(tmp_path: Path) -> None:
    table, document, made = (tmp_path / name for name in ("t.csv", "es.xlf", "all.csv"))
    table.write_text(TABLE)
    told = CliRunner().invoke(
        cli.main, ["bulk", "to-xliff", str(table), "--to", "es", "--out", str(document)]
    )
    assert (told.exit_code, "2 texts, en-US to es" in told.output) == (0, True), told.output
    document.write_bytes(translated(document.read_bytes(), Goodbye="Adi\u00f3s."))
    told = CliRunner().invoke(cli.main, ["bulk", "from-xliff", str(table), str(document), "--out", str(made)])
    assert (told.exit_code, "es: 1 of 2 texts" in told.output) == (0, True), told.output
    assert "Adi\u00f3s." in made.read_text(encoding="utf-8")


@pytest.mark.parametrize("mark", [b"", rows.BOM])
def test_a_table_comes_back_with_the_mark_by_which_a_spreadsheet_knows_its_letters(
    mark: bytes, tmp_path: Path
) -> None:
    table, document, made = (tmp_path / name for name in ("t.csv", "es.xlf", "all.csv"))
    table.write_bytes(mark + TABLE.encode())
    document.write_bytes(translated(sent(), Goodbye="Adi\u00f3s."))
    CliRunner().invoke(cli.main, ["bulk", "from-xliff", str(table), str(document), "--out", str(made)])
    assert made.read_bytes().startswith(mark + b"key,")


def test_of_what_nobody_called_translated_only_a_copy_of_the_source_is_left_out() -> None:
    table = "key,script\na,Welcome.\nb,Goodbye.\n"
    copied = translated(sent(table), Welcome=" Welcome.", Goodbye="Adi\u00f3s.")
    texts = xliff.read(copied.replace(b"<segment>", b'<segment state="initial">'), "d.xlf").texts
    assert (texts["a", "script"], texts["b", "script"]) == (("Welcome.", ""), ("Goodbye.", "Adi\u00f3s."))


def test_a_text_that_begins_with_a_bracket_is_translated() -> None:
    document = xliff.read(sent("key,script\na,[Applause] Thank you.\n"), "d.xlf")
    assert document.texts["a", "script"] == ("[Applause] Thank you.", "")
    with pytest.raises(RequestInvalid, match="is a list of lines"):
        sent('key,script\na,"[{""text"": ""Hi.""}]"\n')


@pytest.mark.parametrize("told", ["", "sep=;\n"])
def test_a_table_comes_back_with_the_separator_it_had(told: str) -> None:
    table = f"{told}key;avatar.uri;script\na;x;Goodbye, all.\n"
    made, _ = into(table, translated(sent(table), Goodbye="Adi\u00f3s; a todos."))
    assert made == f'{told}key;avatar.uri;script:en-US;script:es\na;x;Goodbye, all.;"Adi\u00f3s; a todos."\n'
