"""Lineage and impact: right on any graph, by indexes on a large one, complete on real videos."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kit.consented import relied_on

from avatarlab_ops import pipeline
from avatarlab_ops.canonical import Json
from avatarlab_ops.cli import lineage as commands
from avatarlab_ops.cli import main
from avatarlab_ops.errors import InputError, ReferenceRefused
from avatarlab_ops.lineage import drawing, query
from avatarlab_ops.renders import status, withdrawal
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import ancestry as queries
from avatarlab_ops.stores.catalog import records, transaction
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.documents import documents

from . import graphs, material

ENGINES = (("one", "1"), ("one", "2"), ("two", "1"))
WEIGHTS = {("one", "1"): {"w": "shared"}, ("one", "2"): {"w": "new"}, ("two", "1"): {"v": "shared"}}


@st.composite
def catalogs(draw: st.DrawFn) -> Json:
    """Artifacts that read earlier ones and input objects; renders that use some of both."""
    artifacts: list[Json] = []
    for number in range(draw(st.integers(1, 9))):
        earlier = st.sets(st.integers(0, number - 1), max_size=3) if number else st.just(set())
        artifacts.append({
            "sources": sorted(draw(earlier)),
            "inputs": sorted(draw(st.sets(st.integers(0, 3), max_size=2))),
            "engine": draw(st.none() | st.sampled_from(ENGINES)),
            "code": draw(st.sampled_from(("c1", "c2"))),
        })  # fmt: skip
    made = st.sets(st.integers(0, len(artifacts) - 1), max_size=3)
    given_ = st.dictionaries(st.sampled_from(("s3://inputs/x", "s3://inputs/y")), st.integers(0, 3))
    states = st.sampled_from(("published", "published", "running", "failed", "withdrawn"))
    one = st.fixed_dictionaries(
        {"artifacts": made, "inputs": given_, "state": states, "code": st.sampled_from(("c2", "c3"))}
    )
    return {"artifacts": artifacts, "renders": draw(st.lists(one, min_size=1, max_size=6))}


def _write(db: sa.orm.Session, drawn: Json, tag: str) -> None:
    engines = {}
    for name, version in ENGINES:
        weights = {file: graphs.sha(tag + content) for file, content in WEIGHTS[name, version].items()}
        named = {f"{tag}{file}": content for file, content in weights.items()}
        engines[name, version] = graphs.add_engine(db, tag + name, version, named)
    for number, artifact in enumerate(drawn["artifacts"]):
        graphs.add_artifact(
            db, f"{tag}{number}",
            engine=engines[artifact["engine"]] if artifact["engine"] else None,
            code=tag + artifact["code"],
            sources=[f"{tag}{source}" for source in artifact["sources"]],
            inputs=[f"{tag}input {name}" for name in artifact["inputs"]],
        )  # fmt: skip
    for number, render in enumerate(drawn["renders"]):
        graphs.add_render(
            db, f"{tag}{number}",
            artifacts=[f"{tag}{name}" for name in sorted(render["artifacts"])],
            inputs={f"{uri}{tag}": f"{tag}input {name}" for uri, name in render["inputs"].items()},
            state=render["state"], code=tag + render["code"],
        )  # fmt: skip


def _behind(drawn: Json, render: Json) -> set[int]:
    """Every artifact a render depends on, by walking."""
    found: set[int] = set()
    todo = list(render["artifacts"])
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += drawn["artifacts"][name]["sources"]
    return found


def _touched(drawn: Json, kind: str, value: Any) -> list[int]:
    """The naive answer: look at every published render in turn."""
    answer = []
    for number, render in enumerate(drawn["renders"]):
        behind = [drawn["artifacts"][name] for name in _behind(drawn, render)]
        engines = {artifact["engine"] for artifact in behind} - {None}
        uses = {
            "reference": set(render["inputs"]),
            "input": set(render["inputs"].values()) | {x for made in behind for x in made["inputs"]},
            "engine": engines | {name for name, _ in engines},
            "weights": {part for key in engines for item in WEIGHTS[key].items() for part in item},
            "code": {render["code"]} | {artifact["code"] for artifact in behind},
        }[kind]
        if render["state"] == "published" and value in uses:
            answer.append(number)
    return answer


def _questions(tag: str) -> Iterator[tuple[str, Any, str, str]]:
    """(kind and value for the naive answer, kind and value for `impact`)."""
    for uri in ("s3://inputs/x", "s3://inputs/y"):
        yield "reference", uri, "input", uri + tag
    for name in range(4):
        yield "input", name, "input", graphs.sha(f"{tag}input {name}")
    for name, version in ENGINES:
        yield "engine", (name, version), "engine", f"{tag}{name}@{version}"
    yield "engine", "one", "engine", f"{tag}one"
    for file in ("w", "v"):
        yield "weights", file, "weights", tag + file
    for content in ("shared", "new"):
        yield "weights", content, "weights", graphs.sha(tag + content)
    for code in ("c1", "c2", "c3"):
        yield "code", code, "code", tag + code


TWO_VERSIONS: Json = {  # of one engine behind one video, which is still one video
    "artifacts": [
        {"sources": [], "inputs": [0], "engine": ("one", "1"), "code": "c1"},
        {"sources": [0], "inputs": [], "engine": ("one", "2"), "code": "c2"},
    ],
    "renders": [{"artifacts": {1}, "inputs": {}, "state": "published", "code": "c3"}] * 2,
}


@example(drawn=TWO_VERSIONS, page=1)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=catalogs(), page=st.integers(1, 3))
def test_impact_and_lineage_equal_a_walk_over_any_graph(stores: Settings, drawn: Json, page: int) -> None:
    tag = uuid.uuid4().hex[:12] + "-"
    with transaction(stores.pg_dsn) as db:
        _write(db, drawn, tag)
    for naive_kind, naive_value, kind, value in _questions(tag):
        expected = [f"{tag}{number}" for number in _touched(drawn, naive_kind, naive_value)]
        found, after = [], ""
        while True:
            answer = query.impact(stores, kind, value, after=after, limit=page)
            found += [video.render_id for video in answer.videos]
            if answer.after is None:
                break
            assert len(answer.videos) == page
            after = answer.after
        assert found == expected, (kind, naive_value)
    for number, render in enumerate(drawn["renders"]):
        behind = {graphs.sha(f"artifact {tag}{name}") for name in _behind(drawn, render)}
        document = query.trace(stores, f"{tag}{number}")
        assert set(document["artifacts"]) == behind
        text = drawing.as_text(document)
        assert all(fingerprint in text for fingerprint in behind)


BIG = ("artifact", "artifact_input", "render", "render_input", "stage_run", "published_file", "video_source")


def _plan(db: sa.orm.Session, query: str, **values: Any) -> list[Json]:
    """Every node of the plan that PostgreSQL makes for a query."""
    explained = db.execute(sa.text(f"EXPLAIN (FORMAT JSON) {query}"), values).scalar_one()
    todo, nodes = [explained[0]["Plan"]], []
    while todo:
        nodes.append(todo.pop())
        todo += nodes[-1].get("Plans", [])
    return nodes


@pytest.fixture(scope="module")
def many(stores: Settings) -> Settings:
    """Ten thousand published videos beside what there is."""
    rows = """
    INSERT INTO request (id, sha256, body, caller) SELECT 'many' || i, md5('r' || i), '{}', 'm' FROM N;
    INSERT INTO render (id, request_id, state, code_version, ended_at)
        SELECT 'many' || i, 'many' || i, 'published', 'many', now() FROM N;
    INSERT INTO render_input (render_id, role, uri, sha256, bytes)
        SELECT 'many' || i, 'avatar', 's3://inputs/many' || i % 20, md5('in' || i % 20), 1 FROM N;
    INSERT INTO artifact (fingerprint, stage, stage_version, params, key, sha256, bytes, files, facts,
        code_version, compute_s)
        SELECT stage || i, stage, '1', '{}', 'k', md5(stage || i), 1, '{}', '{}', 'many', 1
        FROM N, (VALUES ('face'), ('film')) AS s (stage);
    INSERT INTO artifact_input (artifact, role, sha256, source)
        SELECT 'film' || i, 'face', md5('face' || i), 'face' || i FROM N
        UNION ALL SELECT 'face' || i, 'avatar', md5('in' || i % 20), NULL FROM N;
    INSERT INTO stage_run (render_id, stage, state, attempt, artifact, host)
        SELECT 'many' || i, 'composite', 'done', 1, 'film' || i, 'h' FROM N;
    INSERT INTO published_file (render_id, name, uri, sha256, bytes)
        SELECT 'many' || i, 'video.mp4', 's3://outputs/many' || i, md5('f' || i), 1 FROM N;
    INSERT INTO video_source (kind, key, render_id)
        SELECT 'input', md5('in' || i % 20), 'many' || i FROM N
        UNION ALL SELECT 'code', 'many', 'many' || i FROM N;
    """
    with transaction(stores.pg_dsn) as db:
        db.execute(
            sa.text("CREATE TEMPORARY TABLE N ON COMMIT DROP AS SELECT generate_series(1, 10000) AS i")
        )
        for statement in rows.split(";"):
            if statement.strip():
                db.execute(sa.text(statement))
        for table in BIG:
            db.execute(sa.text(f"ANALYZE {table}"))
    return stores


@pytest.mark.parametrize("name", ["LINEAGE", "SOURCES", "RECORD", "IMPACT"])
def test_no_query_reads_a_table_from_end_to_end(many: Settings, name: str) -> None:
    values: Json = {"render_id": "many500"}
    if name == "LINEAGE":
        values |= {"apart": ["timeline"]}
    if name == "IMPACT":
        values = {"kind": "code", "keys": ["many", "other"], "after": "", "size": 100}
    with transaction(many.pg_dsn) as db:
        nodes = _plan(db, getattr(queries, name), **values)
        read = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
        assert not set(read) & set(BIG)
        assert [node for node in nodes if "Index" in node["Node Type"]]
        whole = _plan(db, "SELECT * FROM artifact WHERE facts = '1'")
        assert whole[0]["Node Type"] == "Seq Scan"  # the measure itself can fail


def test_what_is_unknown_is_refused_by_name(stores: Settings) -> None:
    with transaction(stores.pg_dsn) as db:
        graphs.add_engine(db, "known", "7", {"known.onnx": graphs.sha("known")})
    with pytest.raises(InputError, match="known@7"):
        query.impact(stores, "engine", "unknown")
    with pytest.raises(InputError, match=r"known\.onnx"):
        query.impact(stores, "weights", "known@7")
    with pytest.raises(InputError, match="sha256"):
        query.impact(stores, "input", "face.png")
    with pytest.raises(ReferenceRefused, match="no-such-run"):
        query.trace(stores, "no-such-run")
    assert query.impact(stores, "code", "never").videos == ()


@pytest.fixture(scope="module")
def videos(stores: Settings) -> list[status.Published]:
    """Three real videos: two of one avatar, the third of another whose backdrop is the first avatar."""
    astronaut = material.astronaut()
    first = material.upload(stores, "lineage/a.png", material.png(astronaut))
    second = material.upload(stores, "lineage/b.png", material.png(astronaut[:, ::-1].copy()))
    output = {"resolution": "360p"}
    asked: list[Json] = [
        {"avatar": {"uri": first}},
        {"avatar": {"uri": first}, "background": {"kind": "blur"}},
        {"avatar": {"uri": second}, "background": {"kind": "image", "uri": first}},
    ]
    made = []
    for number, request in enumerate(asked):
        wanted = {"script": "Hi.", "output": output} | request
        render_id = pipeline.submit(stores, wanted, run_id=f"lineage-{number}", caller="airflow")
        for stage in pipeline.STAGES:
            pipeline.run_stage(stores, render_id, stage)
        found = status.published(stores, render_id)
        assert found is not None
        made.append(found)
    return made


def test_the_lineage_of_a_real_video_names_everything(
    stores: Settings, videos: list[status.Published]
) -> None:
    second = videos[1]
    document = query.trace(stores, second.video_uri)
    assert document == query.trace(stores, second.render_id) == query.trace(stores, "lineage-1")
    manifest = documents(stores).find("manifests", second.render_id)
    assert manifest is not None
    made = {artifact["stage"]: artifact for artifact in document["artifacts"].values()}
    stages = {"speech", "face", "matte", "lipsync", "composite", "publish"}
    assert set(made) == set(manifest["artifacts"]) == stages
    for stage, artifact in made.items():
        for name in ("fingerprint", "sha256", "engine", "params", "inputs", "code_version", "made_by"):
            assert artifact[name] == manifest["artifacts"][stage][name], (stage, name)
        assert artifact["code_version"]
        assert artifact["params"]
        assert artifact["inputs"] or stage == "speech"
    assert made["matte"]["engine"]["weights"].keys() == {"rvm_mobilenetv3_fp32.onnx"}
    assert manifest["run_id"] == document["render"]["run_id"] == "lineage-1"
    assert made["speech"]["made_by_run"] == "lineage-0"  # the first video's speech was used again
    with transaction(stores.pg_dsn) as db:
        digests = {row.sha256 for row in records.inputs_of(db, second.render_id)}
    assert {given["sha256"] for given in document["inputs"].values()} == digests
    held = relied_on(stores, second.render_id).values()
    assert sorted(document["consents"]) == sorted(held)
    assert len(held) == 2
    text = drawing.as_text(document)
    facts = [fact for artifact in made.values() for fact in (artifact["fingerprint"], artifact["sha256"])]
    facts += [edge["sha256"] for edge in made["face"]["inputs"].values()]
    facts += [
        sha256
        for artifact in made.values()
        for sha256 in (artifact["engine"] or {}).get("weights", {}).values()
    ]
    facts += [row["uri"] for row in document["inputs"].values()]
    facts += [str(value) for made_ in made.values() for value in _leaves(made_["params"])]
    facts += [*held, "lineage-1", "lineage-0", "(reused)", "viseme_warp@", "rvm_onnx@"]
    assert [fact for fact in facts if fact not in text] == []


def _leaves(value: Any) -> Iterator[Any]:
    """Every parameter that is set, and is no switch."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _leaves(part)
    elif value is not None and not isinstance(value, bool):
        yield value


def test_the_lineage_of_a_bulk_runs_video_names_the_run(
    stores: Settings, videos: list[status.Published]
) -> None:
    old, new = videos[0].render_id, videos[1].render_id
    empty: Json = {}
    with transaction(stores.pg_dsn) as db:
        db.add(
            m.BulkRun(
                id="spring-2027",
                run_id="spring-dag-run",
                caller="x",
                spec=empty,
                spec_sha256="",
                problems=empty,
            )
        )
        db.flush()
        item = {"number": 0, "key": "row-7", "request": empty, "batch": 0, "predicted_gpu_s": 1.0}
        db.add(m.BulkItem(bulk_id="spring-2027", source=old, render_id=new, **item))
    assert query.trace(stores, old)["bulk_runs"] == {}
    assert query.trace(stores, new)["bulk_runs"]["spring-2027"]["key"] == "row-7"
    document = query.trace(stores, new)
    document["render"]["run_id"] = None  # as an item has none of its own
    assert re.search("DAG run +spring-dag-run", drawing.as_text(document))
    assert f"spring-2027, item row-7, anew for {old}" in drawing.as_text(query.trace(stores, new))


@pytest.fixture(scope="module")
def told(
    stores: Settings, videos: list[status.Published], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[Json]]:
    """A video that a lineage server was told of, and what it was told."""
    file = tmp_path_factory.mktemp("lineage") / "events.jsonl"
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    asked = {"script": "Taken back.", "avatar": {"uri": f"s3://{stores.bucket_inputs}/lineage/a.png"}}
    asked["output"] = {"resolution": "360p"}
    video = pipeline.render(replace(stores, openlineage=json.dumps(transport)), asked)
    return video.render_id, [json.loads(line) for line in file.read_text().splitlines()]


def test_a_lineage_server_is_told_of_each_stage_once_with_what_it_read_and_made(
    stores: Settings, told: tuple[str, list[Json]]
) -> None:
    render_id, events = told
    jobs = [event["job"]["name"] for event in events]
    assert (jobs[:3], jobs[-1]) == (["avatar_render"] * 2 + ["avatar_render.admit"], "avatar_render")
    stages = {event["run"]["facets"]["avatarlab_stage"]["stage"]: event for event in events[2:-1]}
    made = {one["stage"]: one for one in query.trace(stores, render_id)["artifacts"].values()}
    assert (len(stages), set(stages)) == (len(events) - 3, {"admit", *made})
    read = {name: {one["name"].partition("/")[0] for one in stages[name]["inputs"]} for name in made}
    assert read["lipsync"] >= {"speech", "face"}
    assert "lineage" in read["face"], "the portrait, by the address that was given"
    digests = {name: stages[name]["outputs"][0]["facets"]["version"]["datasetVersion"] for name in made}
    assert digests == {name: one["sha256"] for name, one in made.items()}
    whole = events[0]["run"]["runId"]
    assert {event["run"]["facets"]["parent"]["run"]["runId"] for event in stages.values()} == {whole}


def test_a_withdrawn_video_is_explained_and_touched_by_nothing(
    stores: Settings, told: tuple[str, list[Json]]
) -> None:
    gone, _ = told
    speech = next(
        made for made in query.trace(stores, gone)["artifacts"].values() if made["stage"] == "speech"
    )
    assert [video.render_id for video in query.impact(stores, "input", speech["sha256"]).videos] == [gone]
    withdrawal.withdraw(stores, gone, "the client asked")
    assert query.impact(stores, "input", speech["sha256"]).videos == ()
    assert "withdrawn" in drawing.as_text(query.trace(stores, gone))
    with transaction(stores.pg_dsn) as db:
        left = sa.select(sa.func.count()).select_from(m.VideoSource).where(m.VideoSource.render_id == gone)
        assert db.scalar(left) == 0


def test_impact_lists_the_videos_that_a_real_change_touches(
    stores: Settings, videos: list[status.Published]
) -> None:
    ids = [video.render_id for video in videos]

    def touched(kind: str, value: str) -> list[str]:
        found = [video.render_id for video in query.impact(stores, kind, value).videos]
        return [render_id for render_id in found if render_id in ids]

    first, second = (f"s3://{stores.bucket_inputs}/lineage/{name}.png" for name in "ab")
    digests = {row["uri"]: row["sha256"] for row in query.trace(stores, ids[2])["inputs"].values()}
    assert touched("input", first) == touched("input", digests[first]) == ids
    assert touched("input", second) == touched("input", digests[second]) == ids[2:]
    assert touched("engine", "hibari") == ids
    assert touched("weights", "rvm_mobilenetv3_fp32.onnx") == ids[1:]
    assert touched("code", query.trace(stores, ids[0])["render"]["code_version"]) == ids


def test_the_command_line_draws_and_lists(
    stores: Settings, videos: list[status.Published], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "known_stores", lambda: stores)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, arguments)

    video = videos[2].video_uri
    assert json.loads(run("lineage", video, "--format", "json").stdout) == query.trace(stores, video)
    assert run("lineage", video).stdout.startswith("render    ")
    mermaid = run("lineage", video, "--format", "mermaid").stdout
    assert mermaid.startswith("flowchart LR")
    assert mermaid.count("composite") >= 1
    assert run("lineage", video, "--format", "dot").stdout.rstrip().endswith("}")
    page = run("impact", "--engine", "hibari", "--limit", "1")
    assert page.stdout.count("video.mp4") == 1
    after = page.stderr.split()[-1]
    assert after in page.stdout
    rest = json.loads(run("impact", "--engine", "hibari", "--after", after, "--format", "json").stdout)
    assert after not in [row["render_id"] for row in rest["videos"]]
    refused = run("impact", "--engine", "hibari", "--code", "x")
    assert refused.exit_code == 2
    assert "name one change" in refused.stderr
