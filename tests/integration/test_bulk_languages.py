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
EIGHT = TRANSLATED | {
    "it": "Buongiorno.", "pt-BR": "Bom dia.", "de": "Guten Tag.", "ja": "こんにちは。", "zh": "你好。",
}  # fmt: skip


def translated(stores: Settings, portrait: str, scripts: dict[str, str] = TRANSLATED) -> str:
    columns = [f"script:{language}" for language in scripts]
    header = ["key", "avatar.uri", "output.resolution", "output.aspect", *columns]
    values = ["greeting", portrait, "360p", "1:1", *scripts.values()]
    text = f"{','.join(header)}\n{','.join(values)}\n"
    return material.upload(stores, f"bulk/translated-{len(scripts)}.csv", text.encode())


@pytest.mark.skipif("kokoro" not in engines.names("speech"), reason="`make voices` was not run")
def test_one_row_is_a_video_in_each_language_and_the_second_time_nothing_is_made(
    stores: Settings, portrait: str
) -> None:
    check_twice(stores, portrait, TRANSLATED, "spoken")


@pytest.mark.slow
@pytest.mark.skipif("kokoro" not in engines.names("speech"), reason="`make voices` was not run")
def test_one_script_in_eight_languages_and_the_second_run_is_cached_whole(
    stores: Settings, portrait: str
) -> None:
    check_twice(stores, portrait, EIGHT, "eight")


def check_twice(stores: Settings, portrait: str, scripts: dict[str, str], name: str) -> None:
    uri, second = translated(stores, portrait, scripts), f"{name}-again"
    first = work.run(stores, asked(file=uri, name=name), bulk_id=name)
    assert first.states == {"published": len(scripts)}
    items = items_of(stores, name)
    assert [item.key for item in items] == [f"greeting.{language}" for language in scripts]
    for item, (language, text) in zip(items, scripts.items(), strict=True):
        assert item.render_id
        with transaction(stores.pg_dsn) as db:
            assert (records.find(db, item.render_id).plan or {})["language"] == language
        captions = objects(stores).read(stores.bucket_outputs, f"renders/{item.render_id}/captions.vtt")
        assert text.split()[0] in captions.decode()
    assert worked(stores, name)["face", "done"] <= 1, "one avatar, seen once"
    again = work.run(stores, asked(file=uri, name=second), bulk_id=second)
    assert again.states == {"published": len(scripts)}
    always = {stage.name for stage in graph.GRAPH if stage.when is None}
    assert {state for stage, state in worked(stores, second) if stage in always} == {"cached"}


@pytest.mark.skipif("kokoro" in engines.names("speech"), reason="`make voices` was run")
def test_a_language_that_nobody_speaks_here_is_told_with_its_line(stores: Settings, portrait: str) -> None:
    with pytest.raises(RequestInvalid, match=r"line 2, es: language: .*make voices"):
        work.run(stores, asked(file=translated(stores, portrait), name="mute"), bulk_id="mute")
