"""One row of a bulk run, a video in each of its languages."""

from __future__ import annotations

import pytest

from avatarlab_ops import engines, graph
from avatarlab_ops.bulk import work
from avatarlab_ops.errors import RequestInvalid
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.objects import objects

from . import material
from .bulk_runs import asked, items_of, worked

TRANSLATED = {"en-US": "Hello there.", "es": "Hola.", "fr": "Bonjour."}


def translated(stores: Settings, portrait: str) -> str:
    columns = [f"script:{language}" for language in TRANSLATED]
    header = ["key", "avatar.uri", "output.resolution", "output.aspect", *columns]
    values = ["greeting", portrait, "360p", "1:1", *TRANSLATED.values()]
    text = f"{','.join(header)}\n{','.join(values)}\n"
    return material.upload(stores, "bulk/translated.csv", text.encode())


@pytest.mark.skipif("kokoro" not in engines.names("speech"), reason="`make voices` was not run")
def test_one_row_is_a_video_in_each_language_and_the_second_time_nothing_is_made(
    stores: Settings, portrait: str
) -> None:
    uri = translated(stores, portrait)
    first = work.run(stores, asked(file=uri, name="spoken"), bulk_id="spoken")
    assert first.states == {"published": 3}
    items = items_of(stores, "spoken")
    assert [item.key for item in items] == [f"greeting.{language}" for language in TRANSLATED]
    for item, (language, text) in zip(items, TRANSLATED.items(), strict=True):
        assert item.render_id
        with transaction(stores.pg_dsn) as db:
            assert (records.find(db, item.render_id).plan or {})["language"] == language
        captions = objects(stores).read(stores.bucket_outputs, f"renders/{item.render_id}/captions.vtt")
        assert text.split()[0] in captions.decode()
    assert worked(stores, "spoken")["face", "done"] <= 1, "one avatar, seen once"
    again = work.run(stores, asked(file=uri, name="again"), bulk_id="again")
    assert again.states == {"published": 3}
    assert {state for (stage, state), _ in worked(stores, "again").items() if stage in graph.ALWAYS} == {
        "cached"
    }


@pytest.mark.skipif("kokoro" in engines.names("speech"), reason="`make voices` was run")
def test_a_language_that_nobody_speaks_here_is_told_with_its_line(stores: Settings, portrait: str) -> None:
    with pytest.raises(RequestInvalid, match=r"line 2, es: language: .*make voices"):
        work.run(stores, asked(file=translated(stores, portrait), name="mute"), bulk_id="mute")
