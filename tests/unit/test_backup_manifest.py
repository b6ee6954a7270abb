"""A manifest that is none is refused as what it is, before anything else is read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avatarlab_ops.backup.folder import OBJECTS, RECORDS, Folder
from avatarlab_ops.errors import InputError

PART = {"file": "a", "sha256": "0" * 64, "bytes": 1}
WHOLE = {
    "taken_at": "2026-11-30T00:00:00+00:00", "code_version": "1", "catalog": "0001", "objects": 0,
    "object_bytes": 0, "parts": {RECORDS: PART, OBJECTS: PART}, "format": 1,
}  # fmt: skip


def written(folder: Path, content: object) -> Folder:
    (folder / "manifest.json").write_text(json.dumps(content))
    return Folder(folder)


def test_a_whole_one_is_read(tmp_path: Path) -> None:
    assert written(tmp_path, WHOLE).read().parts[OBJECTS].sha256 == "0" * 64


@pytest.mark.parametrize(
    "harmed",
    [
        [], None, {}, {"format": 1}, WHOLE | {"parts": []}, WHOLE | {"parts": {RECORDS: {}}},
        WHOLE | {"parts": {RECORDS: PART}}, WHOLE | {"more": 1},
    ],
)  # fmt: skip
def test_what_is_no_manifest_is_told_as_damaged(tmp_path: Path, harmed: object) -> None:
    with pytest.raises(InputError, match=r"manifest.json is damaged: .*take another backup's folder"):
        written(tmp_path, harmed).read()


def test_one_of_a_later_format_is_told_as_that(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has format 2, not 1"):
        written(tmp_path, WHOLE | {"format": 2}).read()
