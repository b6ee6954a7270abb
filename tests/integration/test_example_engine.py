"""The example package, built and installed as a user would: its engine speaks in a published video."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from avatarlab_ops import engines, pipeline
from avatarlab_ops.engines import registry
from avatarlab_ops.errors import EngineUnavailable
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import tables, transaction
from avatarlab_ops.stores.documents import documents

from . import material

PACKAGE = Path(__file__).resolve().parents[2] / "examples" / "avatarlab-beep"


@pytest.fixture
def beep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """avatarlab-beep on the path, installed from a wheel that the locked hatchling built, offline."""
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    wheel = subprocess.run(
        [sys.executable, "-c", build, str(tmp_path)], cwd=PACKAGE, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    site = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run(
        [sys.executable, *install, "--disable-pip-version-check", str(tmp_path / wheel)], check=True
    )
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    registry.known.cache_clear()
    yield
    registry.known.cache_clear()


@pytest.mark.usefixtures("beep")
def test_an_installed_engine_speaks_in_its_own_language_and_voice(stores: Settings) -> None:
    assert engines.known().packages["speech", "beep"] == "avatarlab-beep 0.1.0"
    asked = {
        "script": "Beep beep.",
        "avatar": {"uri": material.upload(stores, "beep.png", material.png(material.astronaut()))},
        "output": {"resolution": "360p"},
        "engines": {"speech": "beep"},
    }
    made = pipeline.render(stores, asked)
    manifest = documents(stores).find("manifests", made.render_id)
    assert manifest is not None
    speech = manifest["artifacts"]["speech"]
    assert speech["engine"] == {"kind": "speech", "name": "beep", "version": "1", "weights": {}}
    assert (speech["params"]["language"], speech["params"]["voice"]) == ("qbp", "tone")
    with transaction(stores.pg_dsn) as db:
        terms = db.scalar(sa.select(tables.Consent.terms).where(tables.Consent.material == "beep/tone"))
    assert terms == "Public domain: any use."


@pytest.mark.usefixtures("beep")
def test_what_it_cannot_speak_is_refused_with_who_can(stores: Settings) -> None:
    avatar = {"uri": material.upload(stores, "beep.png", material.png(material.astronaut()))}
    asked = {"script": "Beep.", "avatar": avatar, "engines": {"speech": "beep"}, "language": "en-US"}
    with pytest.raises(EngineUnavailable, match="beep speaks qbp, not 'en-US'; engines that do: hibari"):
        pipeline.render(stores, asked)
