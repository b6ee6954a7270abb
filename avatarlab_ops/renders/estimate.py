"""What a request would take, before it is accepted; what can be refused at once is refused here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from avatarlab_ops.errors import ReferenceRefused
from avatarlab_ops.graph import GRAPH, recipe
from avatarlab_ops.plan import Plan, Spoken
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings

if TYPE_CHECKING:
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
    from avatarlab_ops.renders import budget, prediction
    from avatarlab_ops.stages.admit import NeverSeen, Seen, admit
    from avatarlab_ops.stores.catalog import rates, transaction
    from avatarlab_ops.trust import inputs

    check_objects(settings, request)
    with transaction(settings.pg_dsn) as db:
        inputs.check_use(db, request, caller)
    try:
        plan = admit(settings, request, Seen(looking=looking))
    except NeverSeen:
        return None
    found = existing(settings, plan)
    with transaction(settings.pg_dsn) as db:
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


def check_objects(settings: Settings, request: AvatarRequest) -> None:
    """Raise ReferenceRefused, naming field and object, for what no request may name or what is not there."""
    from avatarlab_ops.stores.objects import objects
    from avatarlab_ops.trust import inputs

    for where in inputs.NAMING:
        uri = getattr(request, where).uri
        if uri and objects(settings).head(*inputs.place(settings, uri, f"{where}.uri")) is None:
            raise ReferenceRefused(f"{where}.uri: {uri} does not exist; upload it or correct the reference")


def existing(settings: Settings, plan: Plan) -> dict[str, Artifact]:
    """The artifacts of this plan that exist already, as far along the graph as can be known."""
    from avatarlab_ops.stores import artifacts

    found: dict[str, Artifact] = {}
    for stage in GRAPH:
        wanted = recipe(stage, plan, found) if stage.wanted(plan) else None
        artifact = artifacts.find(settings, wanted) if wanted else None
        if artifact is not None:
            found[stage.name] = artifact
    return found
