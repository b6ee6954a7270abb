"""One stage with an artifact: find it, or make it once, however many ask and whichever process dies."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from avatarlab_ops import engines, tracing
from avatarlab_ops.engines import device, energy
from avatarlab_ops.engines.batches import memory_errors
from avatarlab_ops.errors import DeviceFailed, InputError, TransientError
from avatarlab_ops.plan import Plan
from avatarlab_ops.progress import Report
from avatarlab_ops.recipe import Recipe
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages import context
from avatarlab_ops.stages.deadline import Deadline
from avatarlab_ops.stores import artifacts as store
from avatarlab_ops.stores.artifacts import Product
from avatarlab_ops.stores.catalog import lock, records, transaction
from avatarlab_ops.stores.catalog.tables import Artifact

WAIT_S = math.inf  # for equal work of another process, while that lives, if the caller cannot be deferred


@dataclass(frozen=True)
class Spent:
    """What the work took: seconds, and joules of its device where that tells (engines.energy)."""

    seconds: float = 0.0
    joules: float | None = None


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
) -> tuple[Artifact, bool, Spent]:
    """Return (artifact, cached, what the work took).

    Equal work of other renders in flight is waited for if `wait`, else WorkInFlight is raised.
    """

    def check() -> None:
        with transaction(settings.pg_dsn) as db:
            records.check_open(db, render_id)

    name, alive = f"artifact {recipe.fingerprint}", f"render {render_id}"
    with lock(settings.pg_dsn, name, wait_s=WAIT_S if wait else 0, check=check, alive=alive):
        found = store.find(settings, recipe)
        if found is not None:
            return found, True, Spent()
        with context.workspace(settings, recipe.stage) as folder, _leased(settings, recipe, check):
            limit = Deadline(recipe.stage, budget_s)
            rows = context.ProgressRows(settings, render_id, recipe.stage, report, limit)
            work = context.Context(settings, render_id, plan, folder, rows, artifacts)
            product, spent = _work(recipe, work, limit)
            with tracing.span("keep artifact", fingerprint=recipe.fingerprint):
                kept = store.keep(settings, recipe, product, render_id=render_id, compute_s=spent.seconds)
        return kept, False, spent


def _leased(settings: Settings, recipe: Recipe, check: Callable[[], None]) -> AbstractContextManager[object]:
    """A lease of the device that the stage's engine runs on, if it has one to choose."""
    named = recipe.engine
    if named is None or device.granted():
        return nullcontext()
    info = engines.info(named["kind"], named["name"])
    if not info.slots:
        return nullcontext()
    return device.lease(
        settings.home / device.FOLDER, _devices(recipe.stage, cuda=info.cuda), slots=info.slots,
        purpose=f"{recipe.stage} with {info.name}", check=check,
    )  # fmt: skip


def _devices(stage: str, *, cuda: bool) -> tuple[device.Device, ...]:
    """What there is. Raises TransientError for a GPU that was lost since `up`: no fault of the request.

    Raises InputError for a malformed AVATARLAB_DEVICES, which stays so: in a container no `up` has read it.
    """
    device.named()
    try:
        with device.gpu_faults(stage):
            return device.devices(cuda=cuda)
    except (InputError, DeviceFailed) as error:
        raise TransientError(f"{stage}: {error}") from error


def _engine(recipe: Recipe) -> str:
    return f"{recipe.engine['kind']}/{recipe.engine['name']}" if recipe.engine else "none"


def _work(recipe: Recipe, work: context.Context, limit: Deadline) -> tuple[Product, Spent]:
    with tracing.span("work", engine=_engine(recipe)):
        started = time.monotonic()
        with energy.measured() as used, limit.alarm():
            product = _run(recipe.stage, work)
        seconds = time.monotonic() - started
        if used.joules is not None:
            tracing.note(joules=used.joules)
        return product, Spent(seconds, used.joules)


def _run(stage: str, work: context.Context) -> Product:
    module = importlib.import_module(f"avatarlab_ops.stages.{stage}")
    out_of_memory = f"{stage} ran out of memory; use a smaller resolution or free memory"
    with device.gpu_faults(stage), memory_errors(out_of_memory):
        product: Product = module.run(work)
    return product
