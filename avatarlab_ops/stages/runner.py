"""One stage with an artifact: find it, or make it once, whoever asks and whatever dies meanwhile."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

from sqlalchemy.orm import Session

from avatarlab_ops import engines
from avatarlab_ops.engines import device
from avatarlab_ops.engines.batches import memory_errors
from avatarlab_ops.graph import DOCUMENTS
from avatarlab_ops.plan import Plan
from avatarlab_ops.progress import Report
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import context
from avatarlab_ops.stages.deadline import Deadline
from avatarlab_ops.stores import outbox
from avatarlab_ops.stores.catalog import lock, records, transaction
from avatarlab_ops.stores.catalog.tables import Artifact
from avatarlab_ops.stores.objects import objects

WAIT_S = 3600.0  # for equal work of another process, where nobody waits for us


def lookup(settings: Settings, recipe: Recipe) -> Artifact | None:
    """The artifact if it exists. One whose record was lost with a crash is taken back into the catalog."""
    if objects(settings).head(settings.bucket_artifacts, recipe.key) is None:
        return None
    with transaction(settings.pg_dsn) as db:
        known = records.use_artifact(db, recipe.fingerprint)
    if known is not None:
        return known
    document = context.load(settings, recipe)
    return _record(settings, recipe, document) if document else None


def make(
    settings: Settings,
    render_id: str,
    plan: Plan,
    recipe: Recipe,
    *,
    artifacts: Mapping[str, Artifact],
    report: Report,
    wait: bool,
    budget_s: float,
) -> tuple[Artifact, bool, float]:
    """Return (artifact, cached, seconds of work).

    Equal work of other renders in flight is waited for if `wait`, else WorkInFlight is raised.
    """

    def check() -> None:
        with transaction(settings.pg_dsn) as db:
            records.check_open(db, render_id)

    name, alive = f"artifact {recipe.fingerprint}", f"render {render_id}"
    with lock(settings.pg_dsn, name, wait_s=WAIT_S if wait else 0, check=check, alive=alive):
        found = lookup(settings, recipe)
        if found is not None:
            return found, True, 0.0
        with context.workspace(settings, recipe.stage) as folder, _leased(settings, recipe, check):
            limit = Deadline(recipe.stage, budget_s)
            rows = context.ProgressRows(settings, render_id, recipe.stage, report, limit)
            started = time.monotonic()
            work = context.Context(settings, render_id, plan, folder, rows, artifacts)
            with limit.alarm():
                product = _run(recipe.stage, work)
            compute_s = time.monotonic() - started
            document = context.store(settings, recipe, product, render_id=render_id, compute_s=compute_s)
        return _record(settings, recipe, document), False, compute_s


def _leased(settings: Settings, recipe: Recipe, check: Callable[[], None]) -> AbstractContextManager[object]:
    """A lease of the device that the stage's engine runs on, if it has one to choose."""
    named = recipe.engine
    if named is None or device.granted():
        return nullcontext()
    info = engines.info(named["kind"], named["name"])
    if not info.slots:
        return nullcontext()
    return device.lease(
        settings.home / "devices", device.devices(cuda=info.cuda), slots=info.slots,
        purpose=f"{recipe.stage} with {info.name}", check=check,
    )  # fmt: skip


def _run(stage: str, work: context.Context) -> context.Product:
    module = importlib.import_module(f"avatarlab_ops.stages.{stage}")
    with memory_errors(f"{stage} ran out of memory; use a smaller resolution or free memory"):
        product: context.Product = module.run(work)
    return product


def _record(settings: Settings, recipe: Recipe, document: context.Json) -> Artifact:
    with transaction(settings.pg_dsn) as db:
        records.record_artifact(db, document, recipe.key)
        _post(db, document)
        found = records.find_artifact(db, recipe.fingerprint)
        assert found is not None  # noqa: S101 (written above)
        return found


def _post(db: Session, document: context.Json) -> None:
    render_id = document["render_id"] if records.exists(db, document["render_id"]) else None
    report = {name: document[name] for name in ("stage", "fingerprint", "sha256", "facts", "compute_s")}
    report |= {name: document[name] for name in ("engine", "params", "inputs", "environment", "code_version")}
    facts = dict(document["facts"])
    apart = {collection: facts.pop(fact) for fact, collection in DOCUMENTS.items() if fact in facts}
    report["facts"] = facts
    for collection, content in {"stage_reports": report, **apart}.items():
        outbox.post(db, collection, document["fingerprint"], content, render_id)
