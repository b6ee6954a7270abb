"""The API against its own description: hundreds of odd calls, no server error and no undeclared answer."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.generation.modes import GenerationMode

from avatarlab_ops.settings import Settings
from avatarlab_ops.trust import verify  # noqa: F401 (heavy: a call that imports it first is slow, and warned)

from .api_server import Server, serving

EXAMPLES = 4  # of what fits the description and of what breaks it, of each call; the same ones each time
BUSY_S = 120.0  # an answer may take on a busy machine
ENDLESS = r"/events$"  # streams are tried in tests/e2e
HEADERS = {"Authorization": "Bearer stood-in-for"}
checks.load_all_checks()
NAMES = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
CHECKS = [checks.CHECKS.get_one(name) for name in NAMES]


@pytest.fixture(scope="module")
def api(stores: Settings) -> Iterator[Server]:
    from avatarlab_web import starting

    with serving(stores) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "look", lambda *_: None)  # Airflow has no runs here, nor tables for them
        patch.setattr(starting, "begin", lambda *_: None)
        server.roles |= {"operator"}
        yield server


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_call_breaks_the_server_or_is_answered_as_nobody_said(api: Server, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(api.client.get("/openapi.json").json())
    schema.app = api.client.app
    wrong = []
    for found in schema.exclude(path_regex=ENDLESS).get_all_operations():
        operation = found.ok()
        try:
            odd_calls(operation, mode)
        except Exception as error:  # noqa: BLE001 (every call's faults are told at once)
            told = "".join(traceback.format_exception(error))
            wrong.append(f"{operation.label}: {told[-2000:]}")
    assert not wrong, "\n\n".join(wrong)


def odd_calls(operation: Any, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def each(case: Any) -> None:
        case.validate_response(case.call(headers=HEADERS, timeout=BUSY_S), checks=CHECKS)

    each()
