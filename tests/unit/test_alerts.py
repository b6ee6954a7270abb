"""The alert rules, evaluated by Prometheus's own promtool over series as the exporter tells them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

MONITORING = Path(__file__).parents[2] / "docker" / "monitoring"
TESTS = "alerts_test.yml"


def promtool(*words: str, cwd: Path = MONITORING) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed: it comes with Debian's package prometheus")
    return subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, check=False)


def loaded(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((MONITORING / name).read_text()))


def rules() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in loaded("alerts.yml")["groups"] for rule in group["rules"]}


def test_each_rule_is_shown_alerting_and_silent() -> None:
    checks = [check for test in loaded(TESTS)["tests"] for check in test["alert_rule_test"]]
    assert {check["alertname"] for check in checks if check.get("exp_alerts")} == rules().keys()
    assert {check["alertname"] for check in checks if not check.get("exp_alerts")} == rules().keys()


def test_the_rules_alert_when_they_should_and_only_then() -> None:
    done = promtool("test", "rules", TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", rules())
def test_a_rule_that_never_alerts_is_noticed(tmp_path: Path, alert: str) -> None:
    muted = (MONITORING / "alerts.yml").read_text().replace(rules()[alert]["expr"], "vector(0) > 1")
    (tmp_path / "alerts.yml").write_text(muted)
    shutil.copy(MONITORING / TESTS, tmp_path)
    done = promtool("test", "rules", TESTS, cwd=tmp_path)
    assert done.returncode == 1
    assert alert in done.stdout + done.stderr


def asked_by_dashboard() -> list[str]:
    targets = [panel.get("targets", []) for panel in loaded("dashboard.json")["panels"]]
    return [target["expr"] for panel in targets for target in panel]


def test_the_dashboard_asks_in_promql(tmp_path: Path) -> None:
    asked = [{"record": f"panel:{n}", "expr": expr} for n, expr in enumerate(asked_by_dashboard())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": asked}]}))
    done = promtool("check", "rules", "rules.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(asked) > 5


def test_the_dashboard_divides_where_two_machines_tell_of_the_same_stages(tmp_path: Path) -> None:
    [expr] = [expr for expr in asked_by_dashboard() if "recent_stage_seconds /" in expr]
    told = {"avatarlab_recent_stage_seconds{%s}": "6x2", 'avatarlab_recent_stages{%s, state="done"}': "3x2"}
    labels = [f'instance="{machine}", stage="speech"' for machine in ("a", "b")]
    series = [{"series": name % of, "values": n} for name, n in told.items() for of in labels]
    wanted = [{"labels": f"{{{of}}}", "value": 2} for of in labels]
    check = {"expr": expr, "eval_time": "1m", "exp_samples": wanted}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [check]}
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    done = promtool("test", "rules", "test.yml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
