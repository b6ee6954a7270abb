"""The command line takes a render's id or a run's, which is whatever its caller chose."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from avatarlab_ops import cli
from avatarlab_ops.cli import backup, bulk, common, doctor, main, render, watch
from avatarlab_ops.errors import InputError, TransientError
from avatarlab_ops.renders import status
from avatarlab_ops.settings import Settings


@pytest.mark.parametrize(
    "run", ["order-1042", "request-de8d720a58acfafcfdf390f32dfac425", "manual__2026", "7"]
)
def test_a_run_id_of_any_form_is_looked_up_in_airflow(run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        def __enter__(self) -> Client:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def xcom(self, run_id: str, task: str, key: str) -> str:
            return f"render of {run_id}"

    monkeypatch.setattr(common, "airflow", Client)
    assert common.render_id_of(run) == f"render of {run}"


def test_a_render_id_needs_no_airflow() -> None:
    assert common.render_id_of("20261123-121233-6d55ac4d") == "20261123-121233-6d55ac4d"


def test_what_people_wrote_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    """Also what was kept before such words were refused."""
    words = "x\x1b]0;pwned\x07\npublished fake \x9b31m \u202ethgir"
    shown = r"x\u001b]0;pwned\u0007\npublished fake \u009b31m \u202ethgir"
    now = datetime.now(UTC)
    ended = status.RenderStatus(
        "20270101-000000-01234567", None, "published", (), None, None, None, (), None, None, {}, now, now,
        None, None, None, withdrawn_at=now, withdrawn_reason=words,
    )  # fmt: skip
    nowhere: Any = None
    common.tell_status(nowhere, ended)
    assert [line for line in capsys.readouterr().out.splitlines() if shown in line] != []
    with pytest.raises(watch.RenderFailedError) as told:
        watch.check_published(ended)
    assert str(told.value).isprintable()
    failed = replace(ended, withdrawn_at=None, state="failed", error=words, error_code="input")
    common.tell_status(nowhere, failed)
    assert f"reason    input: {shown}\n" in capsys.readouterr().out
    common.echo(json.dumps({"subject": words}, ensure_ascii=False))
    assert json.loads(printed := capsys.readouterr().out) == {"subject": words}
    assert printed.strip().isprintable()


@pytest.mark.parametrize(
    ("code", "exits"),
    [("unexpected", 70), ("invariant_broken", 70), ("error", 1), ("consent", 2), ("withdrawn", 2)],
)
def test_a_watch_ends_with_the_exit_code_of_what_ended_the_render(code: str, exits: int) -> None:
    assert watch.RenderFailedError(code, "why").exit_code == exits
    said = CliRunner().invoke(main, ["--help"]).output
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for text in (said, readme):
        assert re.search(rf"\b{exits} ", text.partition("Exit codes")[2].partition("\n\n")[0])


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("running", "publish   running 3 of 4 frames\n"),
        ("waiting", "publish   waiting for equal work 3 of 4 frames\n"),
        ("awaiting_approval", "publish   waiting for approval 3 of 4 frames\n"),
        ("failed", "publish   failed 3 of 4 frames\n"),
        ("done", ""), ("cached", ""), ("not_needed", ""), ("pending", ""),
    ],
)  # fmt: skip
def test_status_says_what_each_stage_is_at(state: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    stage = status.StageStatus("publish", state, 1, 0.0, 3, 4, "frames", 0.0, None, None)
    found = status.RenderStatus(
        "20270101-000000-01234567", None, "running", (stage,), None, None, None, (), None, None, {}, now, now,
        None, None, None,
    )  # fmt: skip
    nowhere: Any = None
    common.tell_status(nowhere, found)
    assert capsys.readouterr().out == f"running   20270101-000000-01234567\n{told}"


@pytest.mark.parametrize(
    "command",
    [
        ["consent", "revoke", "0123456789ab", "--reason", "\x1b[31mred\nnext"],
        ["feedback", "add", "x", "--rating", "5", "--by", "me\nyou"],
    ],
)
def test_words_that_a_terminal_would_obey_are_refused_by_option(command: list[str]) -> None:
    done = CliRunner().invoke(main, command)
    assert (done.exit_code, "holds a control character or a line end" in done.output) == (2, True), (
        done.output
    )


def test_a_full_disk_is_told_in_a_line_and_the_command_may_be_repeated() -> None:
    group = type(main)("group")

    @group.command()
    def fill() -> None:
        Path("/dev/full").write_text("x")

    done = CliRunner().invoke(group, ["fill"])
    assert (done.exit_code, "make room" in done.output, "Traceback" in done.output) == (4, True, False)


def test_a_folder_that_may_not_be_written_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Path("/sys/avatarlab-backup")  # nobody may make a folder there, root neither
    stores = Settings("postgresql://h/d", "mongodb://h/d", "http://h", "key", "secret", closed)
    monkeypatch.setattr(backup, "known_stores", lambda: stores)
    done = CliRunner().invoke(main, ["backup", str(closed), "--withdrawals"])
    told = (done.exit_code, str(closed) in done.output, "choose another place" in done.output)
    assert (*told, "Traceback" in done.output) == (2, True, True, False), done.output


def test_ctrl_c_ends_with_the_exit_code_of_a_cancelled_render(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(render, "known_stores", interrupted)
    assert CliRunner().invoke(main, ["status", "order-1042"]).exit_code == 6


def test_a_gigabyte_of_rows_is_refused_before_it_is_read_or_uploaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path / "nothing runs here"))
    rows = tmp_path / "rows.csv"
    with rows.open("wb") as file:
        file.truncate(1 << 30)
    done = CliRunner().invoke(main, ["regenerate", str(rows)])
    assert done.exit_code == 2
    assert "rows.csv has 1,073,741,824 bytes, at most 67,108,864 are allowed; split it" in done.output


@pytest.mark.parametrize("command", ["render", "submit"])
@pytest.mark.parametrize(
    ("out", "told"),
    [
        ("wish.mp4", "would write over"),
        ("video.json", "are for the manifest"),
        ("wish.json/a.mp4", "cannot be"),
    ],
)
def test_a_place_for_the_video_that_is_no_good_is_refused_first(
    command: str, out: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path / "nothing runs here"))
    wish = tmp_path / "wish.json"
    wish.write_text('{"script": "Hello.", "avatar": {"uri": "s3://inputs/a.png"}}')
    before = wish.read_bytes()
    done = CliRunner().invoke(main, [command, str(wish), "--out", str(tmp_path / out)])
    assert (done.exit_code, wish.read_bytes()) == (2, before)
    assert told in done.output


def test_a_dry_run_with_wrong_rows_says_that_nothing_would_start(capsys: pytest.CaptureFixture[str]) -> None:
    outline = {"told": ["line 3: x"], "problems": 1, "over_budget": None, "dry_run": True, "waiting": 3,
               "items": 3, "predicted_gpu_s": 1.0, "bulk_id": "b"}  # fmt: skip
    with pytest.raises(InputError, match="nothing would be started"):
        bulk._tell(outline, partial=False)
    bulk._tell(outline, partial=True)
    assert "left out: line 3: x" in capsys.readouterr().err


def test_a_watch_outlasts_a_server_that_is_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    away = TransientError("PostgreSQL did not answer")
    answers: Iterator[TransientError | str] = iter([away, away, "published"])

    def look() -> status.RenderStatus:
        answer = next(answers)
        if isinstance(answer, TransientError):
            raise answer
        return status.RenderStatus(
            "20261123-121233-6d55ac4d", None, answer, (), None, None, None, (), None, None, {},
            datetime.now(UTC), None, 1.0, 1.0, None,
        )  # fmt: skip

    said = io.StringIO()
    assert watch.follow(look, Console(file=said)).state == "published"
    assert said.getvalue().count("the render goes on") == 1
    monkeypatch.setattr(watch, "AWAY_S", -1.0)
    answers = iter([TransientError("gone for good")])
    with pytest.raises(TransientError, match="gone for good"):
        watch.follow(look, Console(file=said))


def test_a_watch_tells_once_when_a_render_in_line_is_expected_to_begin() -> None:
    at = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
    seen = iter(["accepted", "accepted", "published"])

    def look() -> status.RenderStatus:
        return status.RenderStatus(
            "20261123-121233-6d55ac4d", None, next(seen), (), None, None, None, (), None, None, {},
            datetime.now(UTC), None, None, None, at, expected_start=at,
        )  # fmt: skip

    said = io.StringIO()
    assert watch.follow(look, Console(file=said, width=200), every_s=0).state == "published"
    when = f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
    assert said.getvalue().count(f"waits in line: begins about {when}, ends about {when}") == 1


class _Stranger(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        return


def test_an_address_where_no_avatarlab_is_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wish = tmp_path / "wish.json"
    wish.write_text('{"script": "Hello.", "avatar": {"uri": "s3://inputs/a.png"}}')
    with ThreadingHTTPServer(("127.0.0.1", 0), _Stranger) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AVATARLAB_AIRFLOW_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AVATARLAB_AIRFLOW_TOKEN", "of nobody")
        done = CliRunner().invoke(main, ["submit", str(wish)])
        server.shutdown()
        thread.join()
    assert (done.exit_code, "AVATARLAB_AIRFLOW_URL" in done.output) == (2, True), done.output
    assert "of nobody" not in done.output


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """As `avatarlab ... | head` reads: the pipe is closed before the command has written all."""
    command = [sys.executable, "-m", "avatarlab_ops.cli", "doctor"]
    environment = {**os.environ, "AVATARLAB_HOME": str(tmp_path)}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False, env=environment)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_doctor_marks_what_is_missing_and_goes_on_without_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["doctor"])
    lines = done.output.splitlines()
    assert done.exit_code == 2
    assert next(line for line in lines if "store: postgres" in line).startswith("NO")
    assert next(line for line in lines if "speech hibari" in line).startswith("ok")
    diffdub = next(line for line in lines if "lipsync diffdub" in line)
    assert diffdub.startswith("--")
    assert "needs diffdub" in diffdub
    assert any(line.startswith("NO  airflow") for line in lines)


def test_doctor_asks_a_store_of_ones_own_whether_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path))
    monkeypatch.setenv("AVATARLAB_PG_DSN", "postgresql://me:hidden@127.0.0.1:1/avatarlab")
    assert doctor._external("postgres", "ADDRESS").detail == "external ADDRESS, not asked yet"
    monkeypatch.setenv("AVATARLAB_MONGO_URI", "mongodb://127.0.0.1:1/avatarlab")
    for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"AVATARLAB_S3_{name}", "http://127.0.0.1:1")
    found = doctor._external("postgres", "ADDRESS")
    assert (found.right, found.detail) == (False, "external, silent ADDRESS")
    assert "AVATARLAB_PG_DSN" in found.advice


def test_doctor_advises_the_slots_that_up_counted(tmp_path: Path) -> None:
    assert "each 6 GiB" in doctor._pool_advice(tmp_path, "gpu")
    (tmp_path / "airflow").mkdir()
    (tmp_path / "airflow" / "pools.json").write_text('{"gpu": {"slots": 13}, "cpu": {"slots": 4}}')
    assert "gpu in Airflow (Admin, Pools): 13 slots" in doctor._pool_advice(tmp_path, "gpu")


def test_what_no_request_could_use_is_not_uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVATARLAB_HOME", str(tmp_path / "nothing runs here"))
    notes = tmp_path / "notes.txt"
    notes.write_text("Dear diary")
    done = CliRunner().invoke(main, ["upload", str(notes)])
    assert done.exit_code == 2
    assert "notes.txt is text, which is not accepted" in done.output


def test_the_clock_of_a_finished_stage_stands_still() -> None:
    moments = iter(float(second) for second in range(1000))
    board = watch.Board(Console(file=io.StringIO()))
    board.progress.get_time = lambda: next(moments)
    for state in ("running", "done"):
        board.show(_render(status.StageStatus("speech", state, 1, 0.0, 3, 4, "words", 1.0, None, None)))
    ended = board.progress.tasks[0].elapsed
    board.show(_render(status.StageStatus("speech", "done", 1, 0.0, 4, 4, "words", 1.0, None, None)))
    assert board.progress.tasks[0].elapsed == ended


def test_a_stage_of_this_process_ends_where_the_next_begins() -> None:
    stages = watch.Stages(Console(file=io.StringIO()))
    moments = iter(float(second) for second in range(1000))
    stages.progress.get_time = lambda: next(moments)
    stages.reporter("speech")
    stages.reporter("face")
    speech = stages.progress.tasks[0].elapsed
    assert speech == stages.progress.tasks[0].elapsed


def _render(*stages: status.StageStatus) -> status.RenderStatus:
    return status.RenderStatus(
        "20261123-121233-6d55ac4d", None, "running", stages, None, None, None, (), None, None, {},
        datetime.now(UTC), None, None, None, None,
    )  # fmt: skip


def test_feedback_has_an_option_for_each_aspect_that_is_judged() -> None:
    from avatarlab_ops.cli import feedback
    from avatarlab_ops.graph import GRAPH

    options = {one.name for one in feedback.add.params}
    judged = {aspect for stage in GRAPH for aspect in stage.judged}
    assert judged | {f"{aspect}_comment" for aspect in judged} <= options


def test_say_prints_what_will_be_heard(tmp_path: Path) -> None:
    text = tmp_path / "script.txt"
    text.write_text("The PIN is 0042. It costs 12,50 €.", "utf-8")
    done = CliRunner().invoke(main, ["say", "--text", str(text)])
    assert done.output.splitlines() == [
        "The PIN is zero zero four two.",
        "It costs twelve euros and fifty cents.",
    ]
    (tmp_path / "words.csv").write_text("word,ipa,say\npin,pin,\ncosts,,takes\n", "utf-8")
    done = CliRunner().invoke(
        main, ["say", "--text", str(text), "--lexicon", str(tmp_path / "words.csv"), "--language", "en"]
    )
    assert done.output.splitlines() == [
        "The PIN /pin/ is zero zero four two.",
        "It takes twelve euros and fifty cents.",
    ]
    text.write_bytes(b"\xff\xfe")
    assert CliRunner().invoke(main, ["say", "--text", str(text)]).exit_code == 2


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("Hello {{name}}, welcome.", "holds the placeholder {{name}}, which only bulk runs fill"),
        ("Hello \u202eyou.", "holds the control character U+202E"),
        ("word " * 12_001, "has 60,005 characters, at most 60,000"),
        ("a" * 1024**2 + "b", "has more than 1,048,576 bytes"),
    ],
)
@pytest.mark.parametrize("name", ["script.txt", "-"])
def test_say_refuses_what_a_request_may_not_say(tmp_path: Path, script: str, told: str, name: str) -> None:
    (tmp_path / "script.txt").write_text(script, "utf-8")
    source = name if name == "-" else str(tmp_path / name)
    done = CliRunner().invoke(main, ["say", "--text", source], input=script)
    assert done.exit_code == 2
    assert told.replace(",", "") in " ".join((done.output + str(done.exception)).replace(",", "").split())


def test_what_people_wrote_passes_the_one_echo_that_a_terminal_does_not_obey() -> None:
    folder = Path(cli.__file__).parent
    direct = {path.name for path in folder.rglob("*.py") if re.search(r"\bclick\.s?echo\(", path.read_text())}
    assert direct == {"common.py"}


@pytest.mark.parametrize("defect", [KeyError("face"), ConnectionResetError("by a peer")])
def test_a_defect_ends_with_its_traceback_and_exit_code(
    defect: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: Path) -> None:
        raise defect

    monkeypatch.setattr(doctor, "examine", fails)
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 70
    assert "Traceback" in done.stderr
    assert type(defect).__name__ in done.stderr


def test_a_result_without_a_name_is_refused(tmp_path: Path) -> None:
    wish = tmp_path / "wish.json"
    wish.write_text("{}")
    done = CliRunner().invoke(main, ["render", str(wish), "--out", ""])
    assert (done.exit_code, "'' names no file" in done.output) == (2, True), done.output
