"""The command line takes a render's id or a run's, which is whatever its caller chose."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from avatarlab_ops.cli import common, main, render


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
