"""Markup in a plain script is not spoken."""

import pytest

from avatarlab_ops.reading.markup import plain


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("**Bold** and *leaning* and ***both***", "Bold and leaning and both"),
        ("__Bold__ and _leaning_ words", "Bold and leaning words"),
        ("**bold _and_ more**", "bold and more"),
        ("~~gone~~ and `code`", "gone and code"),
        ("# Title\nText", "Title\nText"),
        ("### Title", "Title"),
        ("- one\n- two\n* three\n+ four", "one\ntwo\nthree\nfour"),
        ("- [x] done\n- [ ] open", "done\nopen"),
        ("> A quotation", "A quotation"),
        ("see [here](https://example.com).", "see here."),
        ("![a cat](cat.png)", "a cat"),
        ("```python\nprint\n```", "\nprint\n"),
        ("| a | b |\n|---|---|\n| c | d |", " a ,  b \n\n c ,  d "),
        ("<b>Bold</b> and <a href='x'>link</a>", "Bold and link"),
        ("one<br/>two", "one\ntwo"),
        ("## one\ntwo\nthree", "one\ntwo three"),
        ("a line\nwrapped &#10;- by an\neditor", "a line wrapped \n- by an editor"),
        ("<p>One</p><p>Two</p>", "\nOne\n\nTwo\n"),
        ("a<!-- hidden -->b", "ab"),
        ("<style>p {}</style>Text", "Text"),
        ("fish &amp; chips &lt;3", "fish & chips <3"),
        ('<speak>Hi <break time="1s"/> there</speak>', "Hi  there"),
        ("2 * 3 * 4 and a < b > c", "2 * 3 * 4 and a < b > c"),
        ("snake_case_name, 5*3", "snake_case_name, 5*3"),
        ("-5 is cold; AT&T", "-5 is cold; AT&T"),
        ("#5 and #topic", "#5 and #topic"),
        ("1. First", "1. First"),
        ("Ann <a@b.org>, see <https://b.org/a>[^1], 3<4>2", "Ann a@b.org, see https://b.org/a, 3<4>2"),
        ("**重要**な点、*大事*で`コード`です。3*4*5", "重要な点、大事でコードです。3*4*5"),
    ],
)
def test_markup_is_left_out_and_text_is_kept(written: str, kept: str) -> None:
    told: list[str] = []
    assert plain(written, told) == kept


def test_what_was_left_out_is_told() -> None:
    told: list[str] = []
    plain("# Hello **big** <b>world</b>", told)
    assert told == ["markup is not spoken and was left out: <b> </b> # ** … **"]


def test_ssml_is_left_out_and_told() -> None:
    told: list[str] = []
    assert plain('<speak>Hello<break time="1s"/> there</speak>', told).split() == ["Hello", "there"]
    assert "<speak>" in told[0]


def test_plain_text_is_told_nothing() -> None:
    told: list[str] = []
    assert plain("Plain text, at 5 o'clock.", told) == "Plain text, at 5 o'clock."
    assert not told
