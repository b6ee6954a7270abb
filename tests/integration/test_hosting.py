"""`avatarlab cost` and `avatarlab simulate` on a catalog with published videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from avatarlab_ops import cli, pipeline
from avatarlab_ops.hosting import prices
from avatarlab_ops.hosting.workload import lately
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m

SECONDS = {"speech": 12.0, "lipsync": 24.0, "composite": 18.0}


def avatarlab(stores: Settings, *words: str) -> tuple[int, str]:
    variables = {
        "AVATARLAB_HOME": str(stores.home),
        "AVATARLAB_PG_DSN": stores.pg_dsn, "AVATARLAB_MONGO_URI": stores.mongo_uri,
        "AVATARLAB_S3_ENDPOINT": stores.s3_endpoint, "AVATARLAB_S3_ACCESS_KEY": stores.s3_access_key,
        "AVATARLAB_S3_SECRET_KEY": stores.s3_secret_key,
    }  # fmt: skip
    done = CliRunner().invoke(cli.main, words, env=variables)
    return done.exit_code, done.output


@pytest.fixture(scope="module")
def published(stores: Settings, portrait: str) -> str:
    """A video of half a minute whose matte was found, as the catalog tells of it."""
    render_id = pipeline.submit(stores, {"script": "Reckon with me.", "avatar": {"uri": portrait}})
    with transaction(stores.pg_dsn) as db:
        for stage, seconds in SECONDS.items():
            records.begin_stage(db, render_id, stage)
            records.end_stage(db, render_id, stage, "done", compute_s=seconds)
        records.end_stage(db, render_id, "matte", "cached")
        shown = {"state": "published", "measures": {"duration_s": 30.0}, "ended_at": records.now()}
        db.execute(sa.update(m.Render).where(m.Render.id == render_id).values(shown))
        file = {"name": "video.mp4", "uri": "s3://outputs/reckoned", "sha256": "0" * 64, "bytes": 1_000_000}
        db.add(m.PublishedFile(render_id=render_id, **file))
    return render_id


def test_without_a_video_it_says_what_to_do(stores: Settings) -> None:
    code, said = avatarlab(stores, "cost")
    assert code == 2
    assert "render a few of yours first" in said


def test_what_was_measured_is_what_the_last_videos_cost(stores: Settings, published: str) -> None:
    with transaction(stores.pg_dsn) as db:
        [seen] = lately(db)
    assert (seen.minutes, seen.seconds, seen.bytes) == (0.5, SECONDS, 1_000_000)


def test_cost_tells_every_way_of_hosting_and_what_binds(stores: Settings, published: str) -> None:
    code, said = avatarlab(stores, "cost", "--videos-per-hour", "100", "--minutes", "2")
    assert code == 0, said
    assert "144.0 GPU-seconds and 72.0 s of other stages each, as the last 1 here" in said
    for one in prices.read().offer:
        assert f"\n{one.kind} " in said
        assert str(one.read) in said
    assert "not in it, fill in: box.purchase_usd, box.years" in said
    assert "at 1000 videos an hour GPU binds: 50 needed" in said
    assert "1000 x 144.00 s / (3600 s) = 40.000: 50 machines with a GPU" in said


def test_an_operators_own_prices_and_the_answer_as_json(
    stores: Settings, published: str, tmp_path: Path
) -> None:
    mine = tmp_path / "prices.toml"
    mine.write_text(prices.OURS.read_text().replace("usd_per_gpu_hour = 0.82", "usd_per_gpu_hour = 8.2"))
    costs = []
    for words in ((), ("--prices", str(mine))):
        code, said = avatarlab(stores, "cost", "--format", "json", *words)
        assert code == 0, said
        costs.append(json.loads(said)["costs"][1]["usd_per_month"])
    assert costs == [pytest.approx(0.82 * 730), pytest.approx(8.2 * 730)]


def test_simulate_tells_waits_that_shrink_with_gpus(stores: Settings, published: str) -> None:
    code, said = avatarlab(
        stores, "simulate", "--videos-per-hour", "200", "--hours", "1", "--at-once", "--format", "json"
    )
    assert code == 0, said
    told = json.loads(said)
    waits = [row["p90_wait_s"] for row in told["rows"]]
    assert [row["gpus"] for row in told["rows"]] == [1, 2, 4, 8, 16, 32]
    assert waits == sorted(waits, reverse=True)
    assert waits[0] > 20 * waits[-1]
