"""The examples in docstrings of what runs inside Airflow's servers say what happens."""

from __future__ import annotations

import doctest
import importlib
import os
import tempfile

import pytest

# Airflow writes its configuration where it is first imported.
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-"))


@pytest.mark.parametrize("name", ["api.renders", "starting", "studio.page"])
def test_an_example_in_a_docstring_holds(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"avatarlab_web.{name}"))
    assert result.attempted
    assert not result.failed, f"{result.failed} of {result.attempted}; pytest's captured output says which"
