"""One script in eight languages through a real Airflow, by one CSV; the second run makes nothing.

Skipped where `make voices` was not run.
"""

# ruff: noqa: RUF001  (full-width punctuation)

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest
import sqlalchemy as sa
from kit.running_site import AVATAR, Site

from avatarlab_ops import engines
from avatarlab_ops.fields import split_reference
from avatarlab_ops.graph import GRAPH
from avatarlab_ops.places import BULK_DAG
from avatarlab_ops.reading.detect import another
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.objects import objects

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(890),
    pytest.mark.skipif("kokoro" not in engines.names("speech"), reason="`make voices` was not run"),
]
SCRIPTS = {
    "en-US": "Welcome aboard, and thank you for being here.",
    "es": "Te damos la bienvenida y gracias por estar aquí.",
    "fr": "Bienvenue à bord et merci d'être avec nous.",
    "it": "Benvenuti a bordo e grazie di essere qui.",
    "pt-BR": "Bem-vindos a bordo e obrigado por estarem aqui.",
    "de": "Willkommen an Bord, und danke, dass Sie hier sind.",
    "ja": "ようこそ。お越しいただき、ありがとうございます。",
    "zh": "欢迎各位，感谢大家今天来到这里。",
}


def ran(site: Site, run_id: str, file: str) -> list[dict[str, str]]:
    """The rows of the report of a bulk run, once it has ended well."""
    body: dict[str, Any] = {"dag_run_id": run_id, "logical_date": None, "conf": {"file": file}}
    started = time.monotonic()
    site.client._call("POST", f"/api/v2/dags/{BULK_DAG}/dagRuns", json=body)
    state = site.finish(run_id, BULK_DAG)
    print(f"{run_id}: {time.monotonic() - started:.0f} s")
    assert state == "success", site.client.tasks(run_id, BULK_DAG)
    told = site.client.xcom(run_id, "report", dag=BULK_DAG)
    return list(
        csv.DictReader(io.StringIO(objects(site.settings).read(*split_reference(told["table"])).decode()))
    )


def stages(site: Site, items: list[dict[str, str]]) -> dict[tuple[str, str], tuple[str, float, str | None]]:
    """State, seconds of work and artifact of each stage that makes artifacts, by video."""
    made = [stage.name for stage in GRAPH]
    query = sa.select(m.StageRun).where(m.StageRun.render_id.in_([item["render_id"] for item in items]))
    keys = {item["render_id"]: item["key"] for item in items}
    with transaction(site.settings.pg_dsn) as db:
        return {
            (keys[run.render_id], run.stage): (run.state, run.compute_s, run.artifact)
            for run in db.scalars(query)
            if run.stage in made
        }


def test_one_script_in_eight_languages_and_the_second_run_makes_nothing(site: Site) -> None:
    columns = {f"script:{language}": text for language, text in SCRIPTS.items()}
    shared = {"key": "welcome", "avatar.uri": AVATAR, "output.resolution": "360p", "output.aspect": "1:1"}
    text = io.StringIO()
    table = csv.DictWriter(text, [*shared, *columns])
    table.writeheader()
    table.writerow(shared | columns)
    objects(site.settings).put_if_absent("inputs", "bulk/eight.csv", text.getvalue().encode())
    file = "s3://inputs/bulk/eight.csv"

    first = ran(site, "eight", file)
    assert [item["key"] for item in first] == [f"welcome.{language}" for language in SCRIPTS]
    assert {item["state"] for item in first} == {"published"}
    for item, (language, said) in zip(first, SCRIPTS.items(), strict=True):
        captions = (
            objects(site.settings).read("outputs", f"renders/{item['render_id']}/captions.vtt").decode()
        )
        shown = "".join(line for line in captions.splitlines() if line and "-->" not in line)
        assert "".join(said.split()) in "".join(shown.split()), language
        assert not another(said, language)
        bucket, key = split_reference(item["video"])
        found = objects(site.settings).head(bucket, key)
        assert found is not None
        assert found.bytes > 10_000
    worked = stages(site, first)
    assert [state for (_, stage), (state, *_) in worked.items() if stage == "face"].count("done") == 1

    again = ran(site, "eight-again", file)
    assert {item["state"] for item in again} == {"published"}
    assert not {item["render_id"] for item in again} & {item["render_id"] for item in first}
    found_again = stages(site, again)
    assert {state for state, *_ in found_again.values()} <= {"cached", "not_needed"}
    assert sum(seconds for _, seconds, _ in found_again.values()) == 0.0
    assert {at: artifact for at, (*_, artifact) in found_again.items()} == {
        at: artifact for at, (*_, artifact) in worked.items()
    }, "every artifact is the first run's"
