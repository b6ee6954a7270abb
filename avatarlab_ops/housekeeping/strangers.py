"""Whether the catalog may lack what it once knew, or the stores be another catalog's as well."""

from __future__ import annotations

from itertools import groupby

from avatarlab_ops.housekeeping.paging import pages
from avatarlab_ops.settings import Settings
from avatarlab_ops.stores.catalog import transaction, upkeep
from avatarlab_ops.stores.objects import objects

ROOT = "renders/"
DOUBT = (
    "left alone, as the bucket of outputs shows renders that this catalog does not know: "
    "if it is the right catalog, `avatarlab housekeeping --apply` removes them"
)


def strangers(settings: Settings) -> bool:
    """Whether the bucket of outputs shows a render that this catalog lacks."""
    listed = objects(settings).listed(settings.bucket_outputs, ROOT)
    for page in pages(render_id for render_id, _ in groupby(one.key.split("/")[1] for one in listed)):
        with transaction(settings.pg_dsn) as db:
            if set(page) - upkeep.renders(db, page).keys():
                return True
    return False
