"""How many GPU-seconds a day may be spent, by everybody together and by each caller.

AVATARLAB_BUDGET_GPU_S_PER_DAY=36000             everybody together
AVATARLAB_BUDGET_GPU_S_PER_DAY_BY_CALLER=*=7200,alice=14400   each caller; * is everyone not named

Unset means unlimited. The day is the last 24 hours; what admitted renders, orders in line and bulk runs
will still need counts as spent. GPU-seconds are the compute seconds of the stages in the pool `gpu`, on any
device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from avatarlab_ops import environment
from avatarlab_ops.errors import BudgetExceeded, InputError
from avatarlab_ops.graph import GPU_STAGES
from avatarlab_ops.renders.prediction import gpu_left_s
from avatarlab_ops.stores.catalog import spending

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

OVERALL = "AVATARLAB_BUDGET_GPU_S_PER_DAY"
BY_CALLER = f"{OVERALL}_BY_CALLER"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Budget:
    """GPU-seconds a day; None or absent: unlimited."""

    overall: float | None = None
    callers: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_env(cls) -> Self:
        """Read both variables. Raises InputError for what is not a number of seconds."""
        env = environment.read()
        named = environment.by_caller(env.budget_gpu_s_per_day_by_caller)
        callers = {caller: _limit(BY_CALLER, value) for caller, value in named.items()}
        return cls(env.budget_gpu_s_per_day, callers)

    def own(self, caller: str) -> float | None:
        """The limit that a caller has besides everybody's."""
        return self.callers.get(caller, self.callers.get("*"))

    def limits(self, caller: str) -> Iterator[tuple[str | None, float]]:
        """Each limit that binds a caller: (the caller, or None for everybody; GPU-seconds a day)."""
        own = self.own(caller)
        if own is not None:
            yield caller, own
        if self.overall is not None:
            yield None, self.overall


def _limit(variable: str, value: str) -> float:
    try:
        limit = float(value)
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf"):
        raise InputError(f"{variable}: {value!r} is not a number of GPU-seconds; write for example 7200")
    return limit


def check(
    db: Session,
    caller: str,
    asked_gpu_s: float,
    *,
    besides: str | None = None,
    besides_render: str | None = None,
) -> None:
    """Refuse what would break a limit. The answer stays true until the caller's transaction ends.

    `besides`, `besides_render`: the bulk run, or the render, that asks and is not to be counted twice: an
    admission that is tried again was promised its seconds by the first try.
    Raises BudgetExceeded, naming the time after which it fits.
    """
    limits = list(Budget.from_env().limits(caller))
    if not limits or asked_gpu_s <= 0:
        return
    spending.one_at_a_time(db)
    instant = spending.now()
    for whose, limit in limits:
        spent, promised = _taken(db, whose, instant, besides, besides_render)
        used = sum(seconds for _, seconds in spent) + promised
        if used + asked_gpu_s > limit:
            when = fits_after(spent, promised, asked_gpu_s, limit, instant)
            raise BudgetExceeded(_message(whose, asked_gpu_s, used, limit, when), when)


def _taken(
    db: Session, whose: str | None, instant: datetime, besides: str | None, besides_render: str | None
) -> tuple[list[tuple[datetime, float]], float]:
    """(end and seconds of what was spent in the last day, seconds promised to what was admitted)."""
    spent = spending.spent(db, GPU_STAGES, since=instant - DAY, caller=whose)
    promised = sum(gpu_left_s(*render) for render in spending.open_renders(db, whose, besides_render))
    promised += spending.ordered_gpu_s(db, whose, besides_render)
    return spent, promised + spending.waiting_items_gpu_s(db, whose, besides)


@dataclass(frozen=True)
class Standing:
    """How much of a budget is spent or promised. GPU-seconds; `limit` None: unlimited."""

    whose: str | None  # None: everybody's together
    limit: float | None
    used: float


def standing(db: Session, caller: str) -> list[Standing]:
    """The caller's own budget, everybody's, and those of the others who use theirs, the most used first."""
    budget, used = Budget.from_env(), _used(db)
    own = Standing(caller, budget.own(caller), used.pop(caller, 0.0))
    together = Standing(None, budget.overall, own.used + sum(used.values()))
    others = [Standing(name, budget.own(name), spent) for name, spent in used.items()]
    return [own, together, *sorted(others, key=lambda one: -one.used)]


def _used(db: Session) -> dict[str, float]:
    """GPU-seconds of the last day that each caller spent, or was promised."""
    used = spending.spent_by_caller(db, GPU_STAGES, since=spending.now() - DAY)
    open_ones = spending.open_by_caller(db)
    promised = [(caller, gpu_left_s(predicted, settled)) for caller, predicted, settled in open_ones]
    ordered = spending.ordered_by_caller(db)
    for caller, seconds in [*promised, *ordered.items(), *spending.waiting_by_caller(db).items()]:
        used[caller] = used.get(caller, 0.0) + seconds
    return used


def fits_after(
    spent: list[tuple[datetime, float]], promised: float, asked: float, limit: float, instant: datetime
) -> datetime | None:
    """When enough of what was spent is a day old; None: never. What is promised is taken as spent now."""
    if asked > limit:
        return None
    over = sum(seconds for _, seconds in spent) + promised + asked - limit
    for ended, seconds in sorted(spent):
        over -= seconds
        if over <= 0:
            return ended + DAY
    return instant + DAY


def _message(whose: str | None, asked: float, used: float, limit: float, when: datetime | None) -> str:
    budget = f"the budget of {whose!r}" if whose else "everybody's budget"
    variable = BY_CALLER if whose else OVERALL
    if when is None:
        fits = f"it can never fit; ask for less, or have {variable} raised"
    else:
        fits = f"it fits after {when:%Y-%m-%d %H:%M:%S} UTC; try again then, or have {variable} raised"
    return (
        f"about {asked:.1f} GPU-seconds are needed, but of {budget} of {limit:,.0f} a day "
        f"{used:,.1f} are spent or promised: {fits}"
    )
