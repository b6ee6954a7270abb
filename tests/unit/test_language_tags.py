"""Languages as people write them, wherever a tag is read: requests, tables, XLIFF, marks, lexicons."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from avatarlab_ops import cli, engines, language_tags
from avatarlab_ops.bulk import handoff, languages, rows, xliff
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.engines.choice import ADDITION, speech_engine
from avatarlab_ops.engines.info import SpeechInfo, Voice
from avatarlab_ops.errors import EngineUnavailable, RequestInvalid, ScriptRefused
from avatarlab_ops.reading import ssml
from avatarlab_ops.reading.lexicon import Lexicon, parse
from avatarlab_ops.reading.marked import Piece
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.script import sentences
from avatarlab_ops.trust.consent import Scope

VOICES = SpeechInfo(
    name=ADDITION, factory="none:none", version="1", scripts=("Latin",), marks=("lang", "phoneme"),
    languages=("en-US", "en-GB", "es", "pt-BR", "de"), voices=(Voice("one", "", ""),),
)  # fmt: skip
ASKED = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}}


@pytest.fixture(autouse=True)
def voices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own engines and one that speaks these languages, whatever else this machine has."""
    ours = {key: info for key, info in engines.known().engines.items() if key[1] != ADDITION}
    there = dataclasses.replace(engines.known(), engines=ours | {("speech", ADDITION): VOICES})
    monkeypatch.setattr(engines, "known", lambda: there)


@pytest.mark.parametrize(
    ("written", "kept", "used", "note"),
    [
        ("en-US", "en-US", "en-US", ""), ("EN-us", "en-US", "en-US", ""), ("en_gb", "en-GB", "en-GB", ""),
        ("en", "en", "en-US", ""), ("eng", "en", "en-US", ""), ("pt_BR", "pt-BR", "pt-BR", ""),
        ("PT", "pt", "pt-BR", ""), ("deu", "de", "de", ""), ("ger", "de", "de", ""),
        ("de-DE", "de-DE", "de", ""), ("de-DE-1996", "de-DE", "de", ""), ("es-es", "es-ES", "es", ""),
        ("es-419", "es-419", "es", "es-419 is spoken as es"),
        ("es-mx", "es-MX", "es", "es-MX is spoken as es"),
        ("pt-pt", "pt-PT", "pt-BR", "pt-PT is spoken as pt-BR"),
        ("de-latn-at", "de-Latn-AT", "de", "de-Latn-AT is spoken as de"),
    ],
)  # fmt: skip
def test_a_request_takes_a_language_however_it_is_written(
    written: str, kept: str, used: str, note: str
) -> None:
    request = AvatarRequest.parse(ASKED | {"language": written})
    assert request.language == request.canonical()["language"] == kept
    for asked in (written, kept):
        assert speech_engine(ADDITION, asked).language(asked) == used
        assert language_tags.instead(asked, used).removeprefix("language: ") == note


def test_tags_that_mean_one_language_ask_for_one_video() -> None:
    first, second = (AvatarRequest.parse(ASKED | {"language": one}) for one in ("pt-BR", "PT_br"))
    assert first.digest() == second.digest()
    assert BulkRequest.parse({"language": "EN-us"}).language == "en-US"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Spanish", "language: is not a BCP 47 tag such as es, en-GB or zh-Hans; es may be meant"),
        ("français", "; fr may be meant"), ("en_US.UTF-8", "; en may be meant"), ("12", "not a BCP 47 tag"),
        ("zh-yue", "; zh may be meant"), ("x" * 5000, "not a BCP 47 tag"), ("", "not a BCP 47 tag"),
    ],
)  # fmt: skip
def test_what_is_no_tag_is_refused_with_what_may_be_meant(written: str, said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        AvatarRequest.parse(ASKED | {"language": written})


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("en-AU", "'en-AU', only .*; nearest: en-GB or en-US"), ("br", "'br', only .*; nearest: pt-BR"),
        ("swe", "'swe', only de, en-GB"),
    ],
)  # fmt: skip
def test_a_language_that_nobody_speaks_is_refused_with_near_ones(asked: str, said: str) -> None:
    """English is read and spoken in each country its own way, so none stands for another."""
    with pytest.raises(EngineUnavailable, match=f"no installed engine speaks {said}"):
        speech_engine(None, asked)


def test_columns_of_a_table_may_be_written_so() -> None:
    table = b"avatar.uri,script:pt_br,voice:PT-br,script:es-419\nx,Ol\xc3\xa1.,dora,Hola.\n"
    (row,) = [one for one in rows.read(io.BytesIO(table), "x.csv") if isinstance(one, rows.Row)]
    assert languages.items(row.values, template=False) == [
        ("pt-BR", {"avatar.uri": "x", "script": "Olá.", "voice": "dora", "language": "pt-BR"}),
        ("es-419", {"avatar.uri": "x", "script": "Hola.", "language": "es-419"}),
    ]
    with pytest.raises(RequestInvalid, match=r"more than one column 'script:pt-BR', 'script:pt_BR'"):
        list(rows.read(io.BytesIO(b"avatar.uri,script:pt_BR,script:pt-BR\nx,a,b\n"), "x.csv"))
    with pytest.raises(RequestInvalid, match=r"'script:es' and 'script:spa' are the same"):
        languages.items({"script:es": "a", "script:spa": "b"}, template=False)


def test_translators_may_write_them_so() -> None:
    table = handoff.table(b"key,script:EN-us,script:pt_br\na,Hi.,Oi.\n", "t.csv")
    document = xliff.write(handoff.out(table, ("script",), "en_us", "PT-BR"))
    assert b'srcLang="en-US" trgLang="pt-BR"' in document
    back = xliff.read(document.replace(b"pt-BR", b"PT-br").replace(b"en-US", b"EN-US"), "d.xlf")
    made, told = handoff.into(table, [back])
    assert (made, told) == ("key,script:en-US,script:pt-BR\na,Hi.,Oi.\n", [])
    with pytest.raises(RequestInvalid, match="--to: 'Spanish' is not a BCP 47 tag; write es"):
        handoff.out(table, ("script",), "en-US", "Spanish")
    with pytest.raises(RequestInvalid, match="line 2: <xliff>: 'Portuguese' is not a BCP 47 tag"):
        xliff.read(document.replace(b"pt-BR", b"Portuguese"), "d.xlf")


def test_words_in_another_language_of_a_script_may_be_marked_so() -> None:
    found = sentences(
        "Hi. <lang xml:lang='ES-419'>Hola.</lang> <lang xml:lang='EN-us'>You.</lang>",
        engine=ADDITION, language="en-US", script_format="ssml",
    )  # fmt: skip
    assert [one.language for one in found.sentences] == ["", "es", ""]
    assert found.warnings == ("<lang>: es-419 is spoken as es",)
    with pytest.raises(ScriptRefused, match="<lang> names 'German'; a BCP 47 tag is wanted: de"):
        ssml.parse("<lang xml:lang='German'>Ja.</lang>", "en-US", ssml.Abilities(("lang",), str), [])


@pytest.mark.parametrize(
    ("tag", "language", "meant"),
    [("es-419", "es", True), ("spa", "es", True), ("pt_PT", "pt-BR", True), ("EN", "en-GB", True),
     ("en-GB", "en-US", False), ("de", "es", False)],
)  # fmt: skip
def test_a_lexicon_may_name_its_language_so(tag: str, language: str, meant: bool) -> None:
    words = Lexicon(
        parse(f"word,say,language\nsql,sequel,{tag}\n".encode()), language, ssml.Abilities((), str)
    )
    assert any(piece.said for piece in words.marked([Piece("sql")])) is meant


def test_of_two_countries_words_those_of_the_scripts_own_are_said() -> None:
    file = b"word,say,language\nsql,here,es-ES\nsql,there,es-419\nsql,any,es\n"
    words = Lexicon(parse(file), "es-ES", ssml.Abilities((), str))
    assert "here" in [piece.said for piece in words.marked([Piece("sql")])]


def test_a_consent_for_a_language_may_name_it_so() -> None:
    assert Scope(("PT_br",)).objection("pt-BR", {}) is None


def test_say_tells_in_which_language_it_reads(tmp_path: Path) -> None:
    (text := tmp_path / "a.txt").write_text("Son las 5.")
    done = CliRunner().invoke(cli.main, ["say", "--text", str(text), "--language", "ES_mx"])
    assert (done.exit_code, done.stdout) == (0, "Son las cinco.\n")
    assert done.stderr == "note: language: es-MX is spoken as es\n"


def test_a_lexicons_words_are_found_within_words_of_their_language() -> None:
    file = b"word,say,language\nsql,sequel,en\nsql,ese cu ele,es\nloto,lotto,\nidle,x,de\n"
    found = sentences(
        "The sql. <lang xml:lang='es'>El sql y el loto.</lang> The loto.",
        engine=ADDITION, language="en-US", script_format="ssml", lexicon=parse(file),
    )  # fmt: skip
    assert [one.spoken for one in found.sentences] == [
        "The sequel.", "El ese cu ele y el lotto.", "The lotto.",
    ]  # fmt: skip
    assert found.warnings == ()
    spanish = parse(b"word,say,language\na,b,es\n")
    unused = sentences(
        "<lang xml:lang='es'>Hola.</lang> Hi.",
        engine=ADDITION, language="en-US", script_format="ssml", lexicon=spanish,
    )  # fmt: skip
    assert unused.warnings == ("lexicon: never in the script: a",)
