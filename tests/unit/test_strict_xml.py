"""XML of strangers: what it holds, and what of it is refused by name."""

import pytest

from avatarlab_ops import strict_xml
from avatarlab_ops.errors import RequestInvalid

LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;">]>\n<a>&c;</a>'
FILE = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>\n<a>&b;</a>'


def parse(text: str | bytes, limit: int = 1000) -> strict_xml.Node:
    raw = text.encode() if isinstance(text, str) else text
    return strict_xml.parse(raw, "x.xml", max_bytes=limit)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "line 1: a document type is not allowed"),
        (FILE, "line 1: a document type is not allowed"),
        ("<a>\n&b;</a>", "line 2: is not well-formed XML .undefined entity"),
        ("<a>\n<b></a>", "line 2: is not well-formed XML .mismatched tag"),
        ("", "no element found"),
        ("<a/>" + " " * 1000, "1,004 bytes, at most 1,000"),
        ("<a>" * 51 + "</a>" * 51, "nested deeper than 50"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "line 1"),
        (b'<?xml version="1.0" encoding="UTF-8"?><a>\xff</a>', "not well-formed"),
    ],
)
def test_what_is_hostile_or_broken_is_refused_with_its_line(text: str | bytes, said: str) -> None:
    with pytest.raises(RequestInvalid, match=f"x.xml.*{said}"):
        parse(text)


def test_too_many_elements_are_refused() -> None:
    with pytest.raises(RequestInvalid, match="more than 3 elements"):
        strict_xml.parse(b"<a><b/><b/><b/></a>", "x.xml", max_bytes=1000, max_elements=3)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_texts_and_elements_stay_in_their_order(encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><a xmlns="urn:n">é <b c="1">&lt;</b> ü</a>'
    root = parse(text.encode(encoding))
    assert (root.name, root.namespace, root.text) == ("a", "urn:n", "é < ü")
    assert [(one.name, one.attributes) for one in root.children("b")] == [("b", {"c": "1"})]
