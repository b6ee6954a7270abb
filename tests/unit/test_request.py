"""The contract: what is accepted, what is refused and how it is said, and the forms made from it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from avatarlab_ops import forms, request
from avatarlab_ops.bulk.contract import form_schema as bulk_form
from avatarlab_ops.errors import InputError, ReferenceRefused, RequestInvalid, ScriptRefused
from avatarlab_ops.fields import split_reference
from avatarlab_ops.forms import form_schema
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.script import sentences

LEAST: dict[str, Any] = {"script": "Hello.", "avatar": {"uri": "s3://inputs/a.png"}}


def test_script_and_avatar_are_enough() -> None:
    asked = AvatarRequest.parse(LEAST)
    assert asked.output.fps == 25
    assert asked.background.kind == "original"
    assert asked.engines.matting == "rvm_onnx"


def test_a_narration_alone_tells_what_is_said() -> None:
    asked = AvatarRequest.parse({"avatar": LEAST["avatar"], "narration.uri": "s3://inputs/n.wav"})
    assert asked.script is None
    assert AvatarRequest.parse(asked.canonical()).digest() == asked.digest()
    with pytest.raises(RequestInvalid, match="script"):
        AvatarRequest.parse({"avatar": LEAST["avatar"]})


def test_dotted_and_nested_fields_mean_the_same() -> None:
    dotted = {"script": "Hello.", "avatar.uri": "s3://inputs/a.png", "output.fps": 30, "motion.blinks": False}
    nested = LEAST | {"output": {"fps": 30}, "motion": {"blinks": False}}
    assert AvatarRequest.parse(dotted) == AvatarRequest.parse(nested)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"script": ""}, ScriptRefused, "script: is empty"),
        ({"script": " \n "}, ScriptRefused, "script: is empty"),
        ({"script": []}, RequestInvalid, "script"),
        ({"script": None}, ScriptRefused, "script is null, which only a narration allows"),
        (
            {
                "script": None,
                "narration": {"uri": "s3://inputs/n.wav"},
                "lexicon": {"uri": "s3://inputs/l.csv"},
            },
            RequestInvalid,
            "lexicon is about the words of a script",
        ),
        ({"script": "a\x07b"}, ScriptRefused, "U+0007"),
        ({"script": "a\x00b"}, ScriptRefused, "U+0000"),
        ({"script": "a\u202eb"}, ScriptRefused, "U+202E"),
        ({"script": [{"text": "a\x1bb"}]}, ScriptRefused, "script.0.text"),
        ({"script": "x" * 60_001}, ScriptRefused, "60001 characters, at most 60000"),
        ({"script": [{"text": "x" * 35_000}] * 2}, ScriptRefused, "70000 characters"),
        ({"script": [{"text": "a", "chapter": ""}]}, RequestInvalid, "script.0.chapter"),
        ({"script": [{"text": "a", "chapter": "x" * 101}]}, RequestInvalid, "script.0.chapter"),
        ({"script": [{"text": "a", "pause_s": -1}]}, RequestInvalid, "script.0.pause_s"),
        ({"script": [{"text": "a", "pause_s": float("nan")}]}, RequestInvalid, "script.0.pause_s"),
        ({"script": 3}, RequestInvalid, "script"),
        ({"avatar": {"uri": "http://example.org/a.png"}}, ReferenceRefused, "s3://inputs/KEY"),
        ({"avatar": {"uri": "file:///etc/passwd"}}, ReferenceRefused, "avatar.uri"),
        ({"avatar": {"uri": "s3://inputs/../secret"}}, ReferenceRefused, "'..'"),
        ({"avatar": {"uri": "s3://inputs/a//b"}}, ReferenceRefused, "'//'"),
        ({"avatar": {"uri": "s3://inputs/a/"}}, ReferenceRefused, "trailing"),
        ({"avatar": {"uri": "s3://inputs/a\nb"}}, ReferenceRefused, "control"),
        ({"avatar": {"uri": "s3://inputs/" + "x" * 1025}}, ReferenceRefused, "1024"),
        ({"avatar": {"uri": "s3://inputs/" + "x" * 300}}, ReferenceRefused, "255"),
        ({"avatar": {"uri": "s3://inputs/a.png", "url": 1}}, RequestInvalid, "avatar.url: no such field"),
        ({"bogus": 1}, RequestInvalid, "bogus: no such field"),
        ({"output": {"fps": 0}}, RequestInvalid, "output.fps"),
        ({"output": {"fps": 1000}}, RequestInvalid, "given: 1000"),
        ({"output.fps": 1000}, RequestInvalid, "output.fps"),
        ({"output": {"fps": 25}, "output.fps": 25}, RequestInvalid, "both nested and with a dot"),
        ({"background": {"kind": "colour"}}, RequestInvalid, "colour is required for the kind colour and"),
        ({"background": {"kind": "colour", "colour": "red"}}, RequestInvalid, "background.colour"),
        (
            {"background": {"kind": "image"}},
            RequestInvalid,
            "uri is required for the kinds image and video and",
        ),
        ({"background": {"kind": "transparent"}}, RequestInvalid, "output.container webm"),
        ({"language": "english"}, RequestInvalid, "language"),
        ({"voice": "../x"}, RequestInvalid, "voice"),
        ({"seed": -1}, RequestInvalid, "seed"),
        ({"seed": "1"}, RequestInvalid, "seed"),
        ({"labels": {"a": "b\x00"}}, RequestInvalid, "labels.a"),
        ({"labels": {"": "b"}}, RequestInvalid, "labels"),
        ({"idempotency_key": "a b"}, RequestInvalid, "idempotency_key"),
    ],
)
def test_refusals_name_the_field_and_the_limit(
    change: dict[str, Any], error: type[InputError], said: str
) -> None:
    with pytest.raises(error) as caught:
        AvatarRequest.parse(LEAST | change)
    assert said in str(caught.value)
    assert type(caught.value) is error


def test_a_script_of_one_line_is_one_and_of_none_is_refused() -> None:
    one = LEAST | {"script": [{"text": "A", "pause_s": 0.8}]}
    asked = AvatarRequest.parse(one)
    assert [(line.text, line.pause_s) for line in asked.script] == [("A", 0.8)]
    Draft202012Validator(AvatarRequest.model_json_schema()).validate(one)
    Draft202012Validator(AvatarRequest.model_json_schema()).validate(LEAST | {"script": "A"})
    with pytest.raises(RequestInvalid, match="script"):
        AvatarRequest.parse(LEAST | {"script": []})


def test_a_control_character_after_a_line_s_end_is_named() -> None:
    with pytest.raises(InputError, match=r"U\+0007"):
        AvatarRequest.parse(LEAST | {"script": "Hello.\nDing\a."})


@pytest.mark.parametrize(
    ("character", "named"),
    [("\ue000", "private-use character U+E000"), ("\u0378", "unassigned character U+0378"),
     ("\u202e", "control character U+202E")],
)  # fmt: skip
def test_the_contract_and_the_script_refuse_the_same_characters_in_the_same_words(
    character: str, named: str
) -> None:
    text = f"Hi{character} there"
    said = f"holds the {named} at position 2; remove it"
    for written in (text, [{"text": text}]):
        with pytest.raises(ScriptRefused, match=re.escape(said)):
            AvatarRequest.parse(LEAST | {"script": written})
    with pytest.raises(ScriptRefused, match=re.escape(said)):
        sentences(text)


def test_an_emoji_newer_than_python_s_tables_is_no_unassigned_character() -> None:
    text = "Hello \N{WAVING HAND SIGN} there \U0001fae8."  # SHAKING FACE, of Unicode 15
    assert AvatarRequest.parse(LEAST | {"script": text})
    assert sentences(text).sentences[0].text == "Hello there."


def test_a_request_repeats_its_like_and_what_an_earlier_version_kept_of_it() -> None:
    asked = AvatarRequest.parse(LEAST)
    assert asked.repeats(asked.canonical())
    assert not any(asked.repeats(LEAST | {"script": f"Number {n}."}) for n in range(8))
    earlier = asked.canonical() | {"engines": {"speech": "hibari"}}
    assert not asked.repeats(earlier), "today this engine was asked for by name"
    del earlier["lexicon"]
    assert asked.repeats(earlier), "before lexicons it was written in where none was named"
    assert not asked.repeats(earlier | {"engines": {"speech": "small_e"}})
    assert not asked.repeats({"script": ""})


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(RequestInvalid) as caught:
        AvatarRequest.parse({"script": "", "avatar": {"uri": "x"}, "seed": -1})
    assert all(name in str(caught.value) for name in ("script:", "avatar.uri:", "seed:"))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "null", "[" * 100_000])
def test_what_is_no_json_object_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        AvatarRequest.from_json(text)


@given(st.text(max_size=60))
def test_any_script_is_accepted_or_refused_by_name(text: str) -> None:
    try:
        asked = AvatarRequest.parse(LEAST | {"script": text})
    except ScriptRefused as error:
        assert str(error).startswith("script: ")  # noqa: PT017
    else:
        assert asked.script == text


@given(st.text(max_size=80))
def test_a_reference_that_passes_stays_inside_its_bucket(text: str) -> None:
    try:
        bucket, key = split_reference(f"s3://inputs/{text}")
    except ValueError:
        return
    assert bucket == "inputs"
    assert f"s3://{bucket}/{key}" == f"s3://inputs/{text}"
    assert not {"", ".", ".."} & set(key.split("/"))


SAMPLE = {"uri": "s3://inputs/v.wav", "transcript": "Words."}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"voice_sample": {"uri": "s3://inputs/v.wav"}}, "required together"),
        ({"voice_sample.transcript": "Words."}, "required together"),
        ({"voice_sample": SAMPLE, "voice": "heart"}, "leave voice out"),
        ({"narration": {"uri": "s3://inputs/n.wav"}, "voice": "heart"}, "narration is the voice"),
        ({"narration.uri": "s3://inputs/n.wav", "voice_sample": SAMPLE}, "narration is the voice"),
        ({"narration.uri": "https://example.org/n.wav"}, "s3://inputs/KEY"),
        ({"voice_sample": SAMPLE | {"transcript": "a" * 1001}}, "1000"),
    ],
)
def test_a_voice_to_clone_is_a_recording_and_its_words(change: dict[str, Any], said: str) -> None:
    assert AvatarRequest.parse(LEAST | {"voice_sample": SAMPLE}).voice_sample.transcript == "Words."
    with pytest.raises(InputError, match=said):
        AvatarRequest.parse(LEAST | change)


def test_a_later_version_with_one_more_field_knows_a_request_by_the_same_digest() -> None:
    class Later(AvatarRequest):
        mood: str | None = None

    assert Later.parse(LEAST).digest() == AvatarRequest.parse(LEAST).digest()
    assert Later.parse(LEAST | {"mood": "glad"}).digest() != Later.parse(LEAST).digest()
    asked = AvatarRequest.parse(LEAST | {"background": {"kind": "blur"}, "output.fps": 50})
    assert asked.digest() != AvatarRequest.parse(LEAST | {"background": {"kind": "blur"}}).digest()


def test_the_digest_knows_the_request_not_its_key() -> None:
    plain = AvatarRequest.parse(LEAST)
    assert AvatarRequest.parse(LEAST | {"idempotency_key": "k"}).digest() == plain.digest()
    assert AvatarRequest.parse(LEAST | {"deadline": "2027-01-29T18:00:00Z"}).digest() == plain.digest()
    assert AvatarRequest.parse(LEAST | {"seed": 1}).digest() != plain.digest()
    one, other = {"team": "a", "use": "b"}, {"use": "b", "team": "a"}  # the order of labels says nothing
    assert AvatarRequest.parse(LEAST | {"labels": one}).digest() == (
        AvatarRequest.parse(LEAST | {"labels": other}).digest()
    )


def test_a_form_filled_with_its_defaults_is_a_valid_request() -> None:
    form = form_schema()
    filled = {name: schema["default"] for name, schema in form.items() if "default" in schema}
    asked = AvatarRequest.parse(filled | {"script": "Hello.", "avatar.uri": "s3://inputs/a.png"})
    assert asked == AvatarRequest.parse(LEAST)
    assert [name for name, schema in form.items() if "default" not in schema] == ["script", "avatar.uri"]


def test_the_form_takes_a_script_of_one_letter_and_none_that_is_empty():
    script = Draft202012Validator(form_schema()["script"])
    assert script.is_valid("A")
    assert not script.is_valid("")


def test_airflow_accepts_what_the_form_fills_in() -> None:
    for name, schema in form_schema().items():
        if "default" in schema:
            assert Draft202012Validator(schema).is_valid(schema["default"]), name


def test_every_field_of_the_form_is_explained_and_self_contained() -> None:
    for name, schema in form_schema().items():
        assert schema["description"], name
        assert "$ref" not in json.dumps(schema), name
        assert "type" in schema or "enum" in schema, name


def test_docs_are_current() -> None:
    path = Path(__file__).parents[2] / "docs" / "request.md"
    assert path.read_text() == forms.markdown() + "\n", "run: python -m avatarlab_ops.forms > docs/request.md"


def test_the_contract_and_the_pipeline_load_nothing_heavy() -> None:
    code = (
        "import sys, avatarlab_ops.request, avatarlab_ops.pipeline\n"
        "slow = {'numpy', 'torch', 'boto3', 'sqlalchemy', 'pymongo', 'cv2', 'av', 'airflow'}\n"
        "heavy = slow & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_kind_of_background_says_what_it_needs_and_is_told_what_it_lacks() -> None:
    assert set(request.KINDS) == set(get_args(request.BackgroundKind))
    values = {"colour": "#112233", "uri": "s3://inputs/b.png"}
    for kind, behind in request.KINDS.items():
        right = {"kind": kind} | {field: values[field] for field in behind.needs}
        output = {"output": {"container": behind.container or "mp4"}}
        assert AvatarRequest.parse(LEAST | output | {"background": right}).background.kind == kind
        for field, value in values.items():
            other = {name: value for name, value in right.items() if name != field}
            other |= {} if field in right else {field: value}
            with pytest.raises(RequestInvalid, match=f"{field} is required for the kinds? .*no other"):
                AvatarRequest.parse(LEAST | output | {"background": other})


def test_a_person_is_not_placed_before_the_original_background() -> None:
    given = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}, "output": {"fit": "person"}}
    with pytest.raises(RequestInvalid, match="fit person needs another background"):
        AvatarRequest.parse(given)
    assert AvatarRequest.parse(given | {"background": {"kind": "blur"}}).output.fit == "person"


@pytest.mark.parametrize(
    "left",
    [
        {"script": "Dear {{ name }}, welcome."},
        {"script": [{"text": "Hello."}, {"text": "Dear {{name}}."}]},
        {"script": "Hi.", "avatar": {"uri": "s3://inputs/{{name}}.png"}},
        {"script": "Hi.", "labels": {"customer": "{{name}}"}},
        {"script": "Dear {{ first name }}."},
        {"script": "Deine {{größe}}."},
        {"script": "Dear {{}}, {{name|upper}}."},
        {"script": "<speak>Dear &#123;&#123;name&#125;&#125;.</speak>", "script_format": "ssml"},
        {"script": "Dear &lbrace;&#x7b;name}&rcub;."},
    ],
)
def test_a_placeholder_that_nobody_fills_is_refused(left: dict[str, object]) -> None:
    given = {"avatar": {"uri": "s3://inputs/a.png"}} | left
    with pytest.raises(InputError, match=r"the placeholder \{\{[^{}]*\}\}, which only bulk"):
        AvatarRequest.parse(given)
    assert AvatarRequest.parse({"script": "Sets are written {a, b}.", "avatar": {"uri": "s3://inputs/a.png"}})


@given(st.text(st.characters(exclude_characters="{}"), max_size=40))
@example(" {x} ")
@example("\ud800")  # half of a pair: no text holds it, nor may a refusal
def test_whatever_stands_in_double_braces_is_a_placeholder(inner: str) -> None:
    asked = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}}
    text = f"a {{{{{inner}}}}} b"
    fields: list[dict[str, object]] = [{"script": text}, {"labels": {"a": text}}]
    for field in fields:
        with pytest.raises(InputError, match="holds the placeholder"):
            AvatarRequest.parse({**asked, **field})


@pytest.mark.parametrize("text", [r"\frac{{a}{b}}", "Set {{1}, {2}}.", "{{'a': {1}}", "{a} {b}"])
def test_braces_of_formulas_and_sets_are_no_placeholder(text: str) -> None:
    asked = {"script": text, "avatar": {"uri": "s3://inputs/a.png"}}
    assert AvatarRequest.parse(asked).script == text


@given(st.text(max_size=20), st.sampled_from("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), st.text(max_size=20))
def test_a_label_is_one_line(before: str, end: str, after: str) -> None:
    asked = {
        "script": "Hi.",
        "avatar": {"uri": "s3://inputs/a.png"},
        "labels": {"a": f"{before}{end}{after}"},
    }
    with pytest.raises(RequestInvalid, match=r"labels\.a"):
        AvatarRequest.parse(asked)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="{}"), max_size=200))
def test_a_label_of_one_line_without_braces_passes(words: str) -> None:
    asked = {"script": "Hi.", "avatar": {"uri": "s3://inputs/a.png"}, "labels": {"a": words}}
    assert AvatarRequest.parse(asked).labels == {"a": words}


def test_no_example_of_a_form_names_an_object_that_is_not_there() -> None:
    """`avatarlab up` puts the demo's picture there, and nothing else."""
    offered = [field.get("examples", []) for form in (form_schema(), bulk_form()) for field in form.values()]
    named = set(re.findall(r"s3://[^\"]+", json.dumps(offered)))
    assert named == {"s3://inputs/demo/astronaut.png"}


def test_a_part_of_the_footage_begins_before_it_ends() -> None:
    avatar = {"uri": "s3://inputs/a.mp4", "start_s": 2.0}
    assert AvatarRequest.parse({"script": "Hi.", "avatar": avatar | {"end_s": 2.5}}).avatar.end_s == 2.5
    for end_s in (0.2, 0.9):
        alone = {"uri": "s3://inputs/a.mp4", "end_s": end_s}
        assert AvatarRequest.parse({"script": "Hi.", "avatar": alone}).avatar.end_s == end_s
    for end_s in (1.0, 2.0, 2.1):
        with pytest.raises(RequestInvalid, match=r"avatar: end_s must lie at least 0.2 s after start_s"):
            AvatarRequest.parse({"script": "Hi.", "avatar": avatar | {"end_s": end_s}})
    with pytest.raises(RequestInvalid, match=r"avatar.start_s"):
        AvatarRequest.parse({"script": "Hi.", "avatar": avatar | {"start_s": -1}})


def test_json_gives_each_key_once() -> None:
    with pytest.raises(RequestInvalid, match="gives 'uri' twice"):
        AvatarRequest.from_json('{"script": "Hi.", "avatar": {"uri": "s3://i/a.png", "uri": "s3://i/b.png"}}')


def test_json_of_more_than_a_megabyte_is_not_parsed() -> None:
    with pytest.raises(RequestInvalid, match="at most 1,000,000"):
        AvatarRequest.from_json(b"[" * 1_000_001)
