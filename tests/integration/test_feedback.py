"""Feedback on real stores: who said what of which video, which engine it is about, and what is made anew."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, get_args

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import planning
from avatarlab_ops.bulk.contract import BulkRequest, form_schema
from avatarlab_ops.cli import common, main
from avatarlab_ops.cli import feedback as commands
from avatarlab_ops.errors import InputError, InvariantBroken, ReferenceRefused, RequestInvalid
from avatarlab_ops.renders import status, withdrawal
from avatarlab_ops.renders.feedback import Aspect, Opinion, give, of_video, rated_below, summary
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables as m
from avatarlab_ops.stores.catalog import transaction
from avatarlab_ops.stores.documents import documents

from . import graphs, material

FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def house(fresh: Settings) -> Iterator[Settings]:
    """Prepared stores with a document database of their own."""
    own = replace(fresh, mongo_uri=fresh.mongo_uri.replace("/avatarlab?", f"/test_{uuid.uuid4().hex[:8]}?"))
    pipeline.prepare_stores(own)
    yield own
    store = documents(own)
    store.database.client.drop_database(store.database.name)
    store.close()


@pytest.fixture(scope="module")
def video(house: Settings) -> status.Published:
    """A real video; its background is the original, so nothing was cut out."""
    portrait = material.upload(house, "astronaut.png", material.png(material.astronaut()))
    output = {"resolution": "360p", "aspect": "1:1"}
    return pipeline.render(house, {"script": "Hi.", "avatar": {"uri": portrait}, "output": output})


def opinion(rating: int = 4, comments: dict[str, str] | None = None, **aspects: int) -> Opinion:
    return Opinion.parse({"ratings": {"video": rating} | aspects, "comments": comments or {}})


def _made(house: Settings, **engines: str) -> str:
    """A published video with one artifact a stage, by engines of these versions."""
    name = f"v-{uuid.uuid4().hex[:12]}"
    with transaction(house.pg_dsn) as db:
        graphs.add_render(db, name)
        for stage, version in engines.items():
            known = graphs.sha(f"{stage}-engine@{version}")
            if db.get(m.EngineVersion, known) is None:
                graphs.add_engine(db, f"{stage}-engine", version, {})
            made = graphs.add_artifact(db, f"{name} {stage}", engine=known)
            run = {"stage": stage, "state": "done", "attempt": 1, "host": "h", "artifact": made}
            db.add(m.StageRun(render_id=name, **run))
    return name


def test_a_caller_judges_a_video_once_and_may_think_again(house: Settings, video: status.Published) -> None:
    give(house, video.render_id, opinion(2, lips=1), caller="ann")
    give(house, video.video_uri, opinion(5, {"voice": "Warm.\nClear."}, voice=5), caller="bob")
    last = give(house, video.render_id, opinion(3, {"video": "Better than I thought."}), caller="ann")
    assert [asdict(one) for one in of_video(house, video.video_uri)][-1] == asdict(last)
    said = {one.caller: one for one in of_video(house, video.render_id)}
    assert {caller: one.ratings for caller, one in said.items()} == {
        "ann": {"video": 3},
        "bob": {"video": 5, "voice": 5},
    }
    assert said["bob"].comments == {"voice": "Warm.\nClear."}
    assert said["ann"].engines["lipsync"]["name"] == "viseme_warp"
    assert said["ann"].engines["speech"]["name"] == "hibari"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"ratings": {"lips": 2}}, "rate the video as a whole"),
        ({"ratings": {"video": 6}}, r"ratings\.video: .*less than or equal to 5"),
        ({"ratings": {"video": 0}}, r"ratings\.video: .*greater than or equal to 1"),
        ({"ratings": {"video": 3, "hair": 1}}, "hair"),
        ({"ratings": {"video": 3}, "comments": {"video": "x" * 2001}}, "2000"),
        ({"ratings": {"video": 3}, "comments": {"video": "\x1b[2J"}}, r"U\+001B"),
        ({"ratings": {"video": 3}, "comments": {"video": ""}}, "at least 1"),
    ],
)
def test_what_is_no_opinion_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestInvalid, match=said):
        Opinion.parse(data)


def test_only_a_video_that_is_shown_can_be_judged(house: Settings, video: status.Published) -> None:
    with pytest.raises(ReferenceRefused, match="knows no video 'nobody'"):
        give(house, "nobody", opinion(), caller="ann")
    with pytest.raises(ReferenceRefused, match="knows no video"):
        of_video(house, "s3://outputs/renders/nobody/video.mp4")
    with transaction(house.pg_dsn) as db:
        running = graphs.add_render(db, "at-work", state="running")
    with pytest.raises(InputError, match="at-work is running; only a published video"):
        give(house, running, opinion(), caller="ann")
    with pytest.raises(InputError, match="no engine made it"):
        give(house, video.render_id, opinion(matte=3), caller="ann")
    with pytest.raises(InputError, match="no engine made it"):
        give(house, video.render_id, opinion(comments={"matte": "Hair is cut off."}), caller="ann")
    with pytest.raises(InputError, match="caller"):
        give(house, video.render_id, opinion(), caller="")


def test_what_was_said_of_a_withdrawn_video_stays(house: Settings) -> None:
    made = _made(house, speech="withdrawn")
    give(house, made, opinion(1, voice=1), caller="ann")
    withdrawal.withdraw(house, made, "the subject asked for it")
    with pytest.raises(InputError, match=r"was withdrawn \(the subject asked for it\)"):
        give(house, made, opinion(2, voice=2), caller="ann")
    assert [one.ratings for one in of_video(house, made)] == [{"video": 1, "voice": 1}]
    line = next(line for line in summary(house) if line.engine == "speech-engine@withdrawn")
    assert (line.count, line.mean, line.low_share) == (1, 1.0, 1.0)


def test_the_document_store_knows_what_may_be_judged(house: Settings) -> None:
    """The validator is written in a layer that may not ask feedback.py; this holds the two together."""
    whole = {"render_id": "r", "caller": "c", "at": "now", "comments": {}, "engines": {}}
    every = dict.fromkeys(get_args(Aspect), 1)
    documents(house).save(
        "feedback", "r/c", whole | {"ratings": every, "comments": dict.fromkeys(every, "x")}
    )
    documents(house).database["feedback"].delete_one({"_id": "r/c"})
    for ratings in ({"lips": 1}, {"video": 6}, {"video": 1, "hair": 1}, {"video": "1"}):
        with pytest.raises(InvariantBroken, match="feedback refused"):
            documents(house).save("feedback", "r/c", whole | {"ratings": ratings})


A_RATING = st.integers(1, 5)
OPINIONS = st.lists(
    st.tuples(
        st.integers(0, 3), st.sampled_from(("ann", "bob", "cy")), A_RATING,
        st.dictionaries(st.sampled_from(("voice", "lips", "matte", "timing")), A_RATING),
    ),
    min_size=1, max_size=12,
)  # fmt: skip
MADE_WITH = (
    {"speech": "1", "lipsync": "1", "matte": "1"}, {"speech": "2", "lipsync": "1", "matte": "1"},
    {"speech": "1", "lipsync": "2", "matte": "1"}, {"speech": "2", "lipsync": "2", "matte": "2"},
)  # fmt: skip
BY = {"voice": ("speech",), "lips": ("lipsync",), "matte": ("matte",), "timing": ("speech", "lipsync")}


@FEW
@given(drawn=OPINIONS, limit=st.sampled_from((1.5, 2, 3, 4.5)))
def test_summary_and_filter_equal_a_count_by_hand(house: Settings, drawn: list[Any], limit: float) -> None:
    documents(house).database["feedback"].delete_many({})
    videos = [_made(house, **versions) for versions in MADE_WITH]
    last: dict[tuple[int, str], dict[str, int]] = {}
    for number, caller, rating, aspects in drawn:
        give(house, videos[number], opinion(rating, **aspects), caller=caller)
        last[number, caller] = {"video": rating} | aspects

    ratings: dict[Any, list[int]] = defaultdict(list)
    lips: dict[str, list[int]] = defaultdict(list)
    for (number, _), given_ in last.items():
        for aspect, rating in given_.items():
            for stage in BY.get(aspect, (None,)):
                engine = f"{stage}-engine@{MADE_WITH[number][stage]}" if stage else None
                ratings[aspect, stage, engine].append(rating)
        lips[videos[number]] += [given_["lips"]] if "lips" in given_ else []
    expected = {
        key: (
            len(one),
            pytest.approx(sum(one) / len(one)),
            pytest.approx(sum(r <= 2 for r in one) / len(one)),
        )
        for key, one in ratings.items()
    }
    found = {(f.aspect, f.stage, f.engine): (f.count, f.mean, f.low_share) for f in summary(house)}
    assert found == expected
    below = {video for video, one in lips.items() if one and sum(one) / len(one) < limit}
    assert set(rated_below(house, {"lips": limit})) == below


def test_what_is_rated_badly_is_chosen_to_be_made_anew(house: Settings, video: status.Published) -> None:
    documents(house).database["feedback"].delete_many({})

    def chosen(**fields: Any) -> int:
        asked = BulkRequest.parse({"dry_run": True, **fields})
        return planning.plan(house, asked, bulk_id="look", caller="x").items

    assert chosen(rated_below={"lips": 3}) == 0
    give(house, video.render_id, opinion(4, lips=1, voice=5), caller="ann")
    give(house, video.render_id, opinion(4, lips=4), caller="bob")
    assert chosen(rated_below={"lips": 3}) == 1  # 2.5 on average
    assert chosen(rated_below={"lips": 2.5}) == 0
    assert chosen(rated_below={"lips": 3, "voice": 3}) == 0
    assert chosen(rated_below={"lips": 3}, stale=["engine"]) == 0
    withdrawal.withdraw(house, video.render_id, "test")
    assert chosen(rated_below={"lips": 3}) == 0


def test_a_bulk_request_takes_limits_of_known_aspects_only() -> None:
    with pytest.raises(RequestInvalid, match="hair"):
        BulkRequest.parse({"rated_below": {"hair": 3}})
    with pytest.raises(RequestInvalid, match="rated_below"):
        BulkRequest.parse({"rated_below": {"lips": 1}})
    assert BulkRequest.parse({"rated_below": {"lips": "3"}}).rated_below == {"lips": 3.0}
    field = form_schema()["rated_below"]
    assert (field["type"], field["default"], field["section"]) == ("object", {}, "From what was published")


def test_the_command_line_rates_lists_and_sums_up(house: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "known_stores", lambda: house)
    monkeypatch.setattr(common, "stores", lambda: house)
    documents(house).database["feedback"].delete_many({})
    made = _made(house, speech="1", lipsync="9")

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, ["feedback", *words])

    assert "nobody has rated it" in run("list", made).stderr
    assert "no video has been rated" in run("summary").stderr
    words = (
        "--rating",
        "4",
        "--lips",
        "2",
        "--lips-comment",
        "They lag.",
        "--comment",
        "Nice.",
        "--by",
        "ann",
    )
    done = run("add", made, *words)
    assert (done.exit_code, done.stdout) == (0, f"{made} rated by ann\n"), done.output
    listed = run("list", made).stdout
    assert "ann  video 4  lips 2\n" in listed
    assert "    lips: They lag.\n" in listed
    assert json.loads(run("list", made, "--format", "json").stdout)[0]["comments"]["video"] == "Nice."
    lines = json.loads(run("summary", "--format", "json").stdout)
    assert [(line["aspect"], line["engine"], line["mean"]) for line in lines] == [
        ("video", None, 4.0),
        ("lips", "lipsync-engine@9", 2.0),
    ]
    assert "100%" in run("summary").stdout.splitlines()[2]
    assert run("add", made, "--rating", "7").exit_code == 2
    refused = run("add", "nobody", "--rating", "3", "--by", "ann")
    assert refused.exit_code == 2
    assert "knows no video 'nobody'" in refused.stderr
