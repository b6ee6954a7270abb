"""One row in many languages: what each of its items says."""

from __future__ import annotations

import io
from typing import Any

import pytest

from avatarlab_ops.bulk import languages, rows, template
from avatarlab_ops.bulk.rows import Row
from avatarlab_ops.errors import RequestInvalid


def read(text: str, variables: set[str] | None = None) -> list[list[tuple[str, dict[str, Any]]]]:
    found = rows.read(io.BytesIO(text.encode()), "x.csv", variables=variables)
    return [
        languages.items(row.values, template=variables is not None) for row in found if isinstance(row, Row)
    ]


def test_a_column_a_language_makes_an_item_a_language() -> None:
    (items,) = read(
        "avatar.uri,seed,script:es,voice:es,script:fr\ns3://inputs/a.png,7,Hola.,ef_dora,Salut.\n"
    )
    shared = {"avatar.uri": "s3://inputs/a.png", "seed": 7}
    assert items == [
        ("es", shared | {"script": "Hola.", "voice": "ef_dora", "language": "es"}),
        ("fr", shared | {"script": "Salut.", "language": "fr"}),
    ]


def test_a_column_in_a_wider_or_narrower_language_is_that_scripts() -> None:
    values = {"script:en-US": "Hi", "script:en-GB": "Hello", "voice:en": "a", "voice:en-GB": "b",
              "script:es": "Hola", "voice:es-MX": "c"}  # fmt: skip
    voices = {language: item["voice"] for language, item in languages.items(values, template=False)}
    assert voices == {"en-US": "a", "en-GB": "b", "es": "c"}
    assert languages.unused(values, template=False) == []


def test_a_column_in_a_language_that_no_script_has_is_told() -> None:
    values = {"script:en-US": "Hi", "voice:en-AU": "a", "voice:fr": "b", "seed": 1}
    ((_, item),) = languages.items(values, template=False)
    assert item == {"script": "Hi", "seed": 1, "language": "en-US"}
    assert languages.unused(values, template=False) == [
        "voice:en-AU is not used: the row has no script:en-AU, but script:en-US",
        "voice:fr is not used: the row has no script:fr, but script:en-US",
    ]
    assert languages.unused({"script": "Hi", "voice": "a"}, template=False) == []


def test_a_language_without_a_script_is_not_made() -> None:
    first, second = read("avatar.uri,script:es,script:fr\nx,Hola.,\nx,,Salut.\n")
    assert [[language for language, _ in items] for items in (first, second)] == [["es"], ["fr"]]


def test_a_cell_of_blanks_is_empty() -> None:
    """As people leave it in a spreadsheet: no language, and nothing for a template."""
    (items,) = read("avatar.uri,script:es,script:fr,seed\nx,Hola., ,\u00a0\n")
    assert items == [("es", {"avatar.uri": "x", "script": "Hola.", "language": "es"})]
    assert read("name,title\nAnn, \n", {"name", "title"}) == []


def test_a_recording_alone_makes_a_language_of_the_row() -> None:
    """Its words are recognised, as those of a row without languages are."""
    heard, both = read(
        "avatar.uri,script:es,narration.uri:es,narration.uri:fr\n"
        "x,,s3://inputs/es.wav,s3://inputs/fr.wav\nx,Hola.,,s3://inputs/fr.wav\n"
    )
    fr = ("fr", {"avatar.uri": "x", "narration.uri": "s3://inputs/fr.wav", "language": "fr"})
    assert heard == [
        ("es", {"avatar.uri": "x", "narration.uri": "s3://inputs/es.wav", "language": "es"}), fr,
    ]  # fmt: skip
    assert both == [("es", {"avatar.uri": "x", "script": "Hola.", "language": "es"}), fr]


def test_a_language_without_a_text_for_the_template_is_not_made() -> None:
    (items,) = read("name,title:es,title:it\nAnn,Hola,\n", {"name", "title", "language"})
    assert items == [("es", {"name": "Ann", "title": "Hola", "language": "es"})]
    assert read("name,title\nAnn,\n", {"name", "title"}) == [], "shared variables are needed"


def test_a_template_says_where_the_language_goes() -> None:
    (items,) = read("name,title:es,title:it\nAnn,Hola,Ciao\n", {"name", "title", "language"})
    assert items == [
        ("es", {"name": "Ann", "title": "Hola", "language": "es"}),
        ("it", {"name": "Ann", "title": "Ciao", "language": "it"}),
    ]


def test_a_template_without_a_place_for_it_takes_the_language_as_the_requests_field() -> None:
    form = {"script": "{{title}}", "avatar": {"uri": "s3://inputs/a.png"}}
    (items,) = read("title:es\nHola\n", {"title"})
    assert template.request(form, items[0][1]) == form | {"script": "Hola", "language": "es"}
    plain, empty = read("title,language\nHola,es\nHello,\n", {"title"})
    assert template.request(form, plain[0][1])["language"] == "es"
    assert "language" not in template.request(form, empty[0][1])
    with pytest.raises(RequestInvalid, match="no variable 'language'"):
        template.request(form | {"language": "{{language}}"}, empty[0][1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("script:es,avatar.uri,language\nHola.,x,es\n", "language: .* leave it out"),
        ("script:es,avatar.uri,script\nHola.,x,Hello.\n", "script: .* leave it out"),
        (
            "script:en-US,script:es,avatar.uri,narration.uri\nHi.,Hola.,x,s3://inputs/en.wav\n",
            "narration.uri: .* narration.uri:es .* leave it out",
        ),
        ("script:es,voice:es,avatar.uri\n,x,x\n", "no script in any language"),
        ("speech:es,script,avatar.uri\nx,x,x\n", "no such column: 'speech:es'"),
        ("voice:es,avatar.uri\nx,x\n", "no column 'script'"),
    ],
)
def test_what_contradicts_itself_is_refused(text: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        read(text)


def test_a_template_may_share_a_variable_called_script_and_labels_hold_colons() -> None:
    (items,) = read("script,title:es\nHi.,Hola\n", {"script", "title", "language"})
    assert items == [("es", {"script": "Hi.", "title": "Hola", "language": "es"})]
    assert languages.names(["labels.team:a", "script"]) == ["labels.team:a", "script"]
