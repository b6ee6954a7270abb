"""What a request would take, before it is accepted; what can be refused at once is refused here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.graph import GRAPH, recipe
from avatarlab_ops.plan import Plan, Spoken
from avatarlab_ops.renders import budget, prediction
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.admit import admit
from avatarlab_ops.stages.inspection import NeverSeen, Seen
from avatarlab_ops.stores import artifacts
from avatarlab_ops.stores.catalog import rates, records, transaction
from avatarlab_ops.stores.objects import Stored, objects
from avatarlab_ops.trust import inputs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.recipe import Recipe
    from avatarlab_ops.stores.catalog.tables import Artifact


@dataclass(frozen=True)
class Estimate:
    """What a request would take if it were admitted now. `stages`: seconds of each that has work to do."""

    stages: dict[str, float]
    cached: tuple[str, ...]  # stages whose result exists
    predicted_s: float  # seconds of work, all stages
    predicted_gpu_s: float
    warnings: tuple[str, ...]
    script: tuple[Spoken, ...]


def estimate(
    settings: Settings, request: AvatarRequest, *, caller: str, looking: bool = True
) -> Estimate | None:
    """What a request would take; nothing of it is kept.

    Raises the InputError or BudgetExceeded that it would end with. Without `looking`, None for one that names
    an object which nobody has looked at yet: that takes seconds.
    """
    request.check_deadline()
    there = check_objects(settings, request)
    with transaction(settings.pg_dsn) as db:
        inputs.check_use(db, request, caller)
    try:
        plan = admit(settings, request, Seen(looking=looking, stored=there), caller=caller)
    except NeverSeen:
        return None
    with transaction(settings.pg_dsn) as db:
        found = recorded(db, plan)
        predicted = prediction.predict(rates.known(db), plan, found)
        budget.check(db, caller, prediction.gpu_s(predicted))
    return Estimate(
        stages=predicted,
        cached=tuple(found),
        predicted_s=round(sum(predicted.values()), 3),
        predicted_gpu_s=round(prediction.gpu_s(predicted), 3),
        warnings=plan.warnings,
        script=plan.script,
    )


def check_objects(settings: Settings, request: AvatarRequest) -> dict[str, Stored]:
    """The objects that a request names, by reference.

    Raises ReferenceRefused, naming field and object, for what no request may name or what is not there.
    """
    there: dict[str, Stored] = {}
    for where in inputs.NAMING:
        if uri := getattr(request, where).uri:
            found = objects(settings).head(*inputs.place(settings, uri, f"{where}.uri"))
            if found is None:
                raise ReferenceRefused(
                    f"{where}.uri: {uri} does not exist; upload it or correct the reference"
                )
            there[uri] = found
    return there


def existing(settings: Settings, plan: Plan) -> dict[str, Artifact]:
    """The artifacts of this plan that are in the store, as far along the graph as can be known."""
    return _along(plan, lambda wanted: artifacts.find(settings, wanted))


def recorded(db: Session, plan: Plan) -> dict[str, Artifact]:
    """The artifacts of this plan that the catalog knows: no look at the store, nothing is noted as used."""

    def find(wanted: Recipe) -> Artifact | None:
        known = records.find_artifact(db, wanted.fingerprint)
        return None if known is None or known.evicted_at else known

    return _along(plan, find)


def _along(plan: Plan, find: Callable[[Recipe], Artifact | None]) -> dict[str, Artifact]:
    found: dict[str, Artifact] = {}
    for stage in GRAPH:
        wanted = recipe(stage, plan, found) if stage.wanted(plan) else None
        artifact = find(wanted) if wanted else None
        if artifact is not None:
            found[stage.name] = artifact
    return found
