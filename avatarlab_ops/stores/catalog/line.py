"""The line of ordered renders: who begins next, and when. Functions work inside the caller's transaction.

Who is first is said in one place, the window `fair` of `_PLACES`: the class (`states.Priority`), then whose
caller was given the least work of late, then who has waited longest. `had` is that work: what the caller's
orders take that began within the last hour, and what those of the same class take that stand before this one.
So the order of the line is the order in which turns will be given. Every PATIENCE-th turn is the oldest
order's, whatever its class and caller: with n older ones before it an order begins within PATIENCE * (n + 1)
turns, whoever else comes, so nothing waits for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from avatarlab_ops.graph import OPEN_RUNS
from avatarlab_ops.states import OPEN, Priority, RenderState, StageState
from avatarlab_ops.stores.catalog import lock_number, records
from avatarlab_ops.stores.catalog import tables as m

PATIENCE = 5
INTERACTIVE_EACH = 4  # open interactive orders of one caller; what they order beyond is normal
OPEN_AT_MOST = 2
LATEST = 1000  # begun orders among which are those that Airflow has not come to yet
RECENT = 50  # turns by which the pace is measured
ENOUGH = 5  # measured turns from which the pace is believed
BESIDES_S = 5.0  # of an order besides its stages' work; what is all found again still costs its tasks
UNKNOWN_S = 60.0  # work of an order of which nothing is known, before any other began
FAR = timedelta(days=3650)  # a forecast beyond says only that the line stood still

_PLACES = sa.text("""
WITH given AS (
    SELECT caller, sum(work_s) AS work_s FROM render_order
    WHERE begun_at > now() - interval '1 hour' GROUP BY caller
), line AS (
    SELECT one.render_id, one.caller, one.priority, one.placed_at, one.work_s,
        coalesce(given.work_s, 0) + coalesce(sum(one.work_s) OVER earlier, 0) AS had
    FROM render_order AS one JOIN render ON render.id = one.render_id
        LEFT JOIN given ON given.caller = one.caller
    WHERE one.begun_at IS NULL AND render.state = 'accepted'
    WINDOW earlier AS (
        PARTITION BY one.priority, one.caller ORDER BY one.placed_at, one.render_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
SELECT *, row_number() OVER fair AS fair, row_number() OVER age AS age,
    least(sum(work_s) OVER fair, :patience * sum(work_s) OVER age) AS until_s
FROM line
WINDOW fair AS (ORDER BY priority, had, placed_at, render_id ROWS UNBOUNDED PRECEDING),
    age AS (ORDER BY placed_at, render_id ROWS UNBOUNDED PRECEDING)
""").bindparams(patience=PATIENCE)
_PLACE = _PLACES.columns(
    *(sa.column(name) for name in ("render_id", "caller", "priority", "work_s", "fair", "age", "until_s"))
).subquery()
# Seconds of work up to the end of this order's turn, without numbering the whole line: all work of better
# classes; in its own class its caller's older orders and, of each other caller, as much as brings that caller
# up to what this order's caller will have had by then (`had`).
_UNTIL = sa.text("""
WITH given AS (
    SELECT caller, sum(work_s) AS work_s FROM render_order
    WHERE begun_at > now() - interval '1 hour' GROUP BY caller
), mine AS (
    SELECT one.* FROM render_order AS one JOIN render ON render.id = one.render_id
    WHERE one.render_id = :render_id AND one.begun_at IS NULL AND render.state = 'accepted'
), held AS (
    SELECT one.caller, one.priority, sum(one.work_s) AS work_s, coalesce(sum(one.work_s) FILTER (
        WHERE (one.placed_at, one.render_id) < (mine.placed_at, mine.render_id)), 0) AS older_s
    FROM render_order AS one CROSS JOIN mine
    WHERE one.begun_at IS NULL GROUP BY one.caller, one.priority
), level AS (
    SELECT mine.*, coalesce(given.work_s, 0) + held.older_s AS had
    FROM mine JOIN held ON held.caller = mine.caller AND held.priority = mine.priority
        LEFT JOIN given ON given.caller = mine.caller
)
SELECT level.work_s, least(:patience * (level.work_s + sum(held.older_s)), level.work_s + sum(CASE
    WHEN held.priority < level.priority THEN held.work_s
    WHEN held.priority > level.priority THEN 0
    WHEN held.caller = level.caller THEN held.older_s
    ELSE least(held.work_s, greatest(0, level.had - coalesce(given.work_s, 0))) END)) AS until_s
FROM level CROSS JOIN held LEFT JOIN given ON given.caller = held.caller
GROUP BY level.work_s
""").bindparams(patience=PATIENCE)
# Seconds between begins over the work of who began, where it waited already at the begin before.
_PACE = sa.text("""
SELECT count(*), sum(extract(epoch FROM begun_at - before)), sum(work_s) FROM (
    SELECT placed_at, begun_at, work_s, lag(begun_at) OVER (ORDER BY turn) AS before
    FROM (SELECT * FROM render_order WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT :turns) AS latest
) AS lately WHERE placed_at <= before
""")
# Seconds from begin to end, divided by the work; renders that waited for an approval are left out.
_STAY = sa.text("""
SELECT sum(extract(epoch FROM render.ended_at - latest.begun_at)) / nullif(sum(latest.work_s), 0)
FROM (SELECT * FROM render_order WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT :turns) AS latest
JOIN render ON render.id = latest.render_id
WHERE render.state = 'published' AND render.approval_asked_at IS NULL
""")


@dataclass(frozen=True)
class Room:
    """How many begun renders may be at work at once; `kept`: how many interactive ones besides.

    `open`: how many may be open at all, with those that wait for a person.
    """

    renders: int
    kept: int
    open: int = OPEN_RUNS


@dataclass(frozen=True)
class Place:
    """An order's place in the line. `number` counts from 1; the times move with the pace."""

    render_id: str
    caller: str
    priority: Priority
    number: int
    expected_start: datetime | None
    expected_end: datetime | None


def one_by_one(db: Session, caller: str) -> None:
    """Let each of a caller's orders that come at once be counted after the one before."""
    db.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_number(f"orders of {caller}"))))


def granted(db: Session, caller: str, asked: Priority) -> Priority:
    """The class that an order gets: with INTERACTIVE_EACH open a caller's next interactive one is normal.

    Nobody looks at more at a time.
    """
    eager = asked == Priority.INTERACTIVE and _interactive(db, caller) >= INTERACTIVE_EACH
    return Priority.NORMAL if eager else asked


def enter(
    db: Session, render_id: str, *, caller: str, priority: Priority, work: tuple[float, float] | None
) -> None:
    """Put an order at its place. `work`: expected seconds, of all stages and of those in the pool `gpu`.

    Without it that of the last ones is assumed.
    """
    work_s, gpu_s = (work[0] + BESIDES_S, work[1]) if work else _usual(db)
    db.add(m.RenderOrder(render_id=render_id, caller=caller, priority=priority, work_s=work_s, gpu_s=gpu_s))


def _interactive(db: Session, caller: str) -> int:
    mine = sa.and_(m.RenderOrder.caller == caller, sa.text("priority = 0"))
    since = m.RenderOrder.placed_at > records.now() - timedelta(days=1)
    query = sa.select(sa.func.count()).select_from(m.RenderOrder).join(m.Render)
    return db.scalar(query.where(mine, since, m.Render.state.in_(OPEN))) or 0


def _usual(db: Session) -> tuple[float, float]:
    begun = sa.select(m.RenderOrder.work_s, m.RenderOrder.gpu_s).where(m.RenderOrder.turn.is_not(None))
    rows = begun.order_by(m.RenderOrder.turn.desc()).limit(RECENT).subquery()
    work_s, gpu_s = db.execute(sa.select(sa.func.avg(rows.c.work_s), sa.func.avg(rows.c.gpu_s))).one()
    return work_s or UNKNOWN_S, gpu_s or UNKNOWN_S


def waits() -> sa.ColumnElement[bool]:
    """Condition on `Render`: its order stands in line, so nothing works on it yet."""
    order = aliased(m.RenderOrder)
    return sa.exists().where(order.render_id == m.Render.id, order.begun_at.is_(None))


def count(db: Session, caller: str) -> tuple[int, int]:
    """How many orders wait, and how many of them are the caller's."""
    mine = sa.func.count().filter(m.RenderOrder.caller == caller)
    row = db.execute(sa.select(sa.func.count(), mine).where(m.RenderOrder.begun_at.is_(None))).one()
    return int(row[0]), int(row[1])


def take(db: Session, room: Room) -> list[str]:
    """Give every free place to an order and return their renders; nothing where another process is at it.

    Orders whose renders ended in line leave it; they are returned, too, as nothing holds them any longer.
    """
    if db.scalar(sa.select(m.RenderOrder.render_id).where(m.RenderOrder.begun_at.is_(None)).limit(1)) is None:
        return []
    if not db.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(lock_number("avatarlab line")))):
        return []
    free, kept = _free(db, room)
    if free <= 0 and (kept <= 0 or not _people_wait(db)):
        return []
    gone = _leave(db)
    rows = _ahead(db, max(free, 0) + max(kept, 0))
    last = db.scalar(sa.select(sa.func.max(m.RenderOrder.turn))) or 0
    turns = _turns(rows, last, free, kept)
    for render_id, turn in turns.items():
        mine = m.RenderOrder.render_id == render_id
        begun = {"begun_at": sa.func.clock_timestamp(), "turn": turn}
        db.execute(sa.update(m.RenderOrder).where(mine).values(begun))
    return [*gone, *turns]


def _people_wait(db: Session) -> bool:
    mine = sa.and_(m.RenderOrder.begun_at.is_(None), m.RenderOrder.priority == Priority.INTERACTIVE)
    return db.scalar(sa.select(m.RenderOrder.render_id).where(mine).limit(1)) is not None


def _ahead(db: Session, most: int) -> list[Any]:
    """The first so many in line, and the oldest so many."""
    query = sa.select(_PLACE).where(sa.or_(_PLACE.c.fair <= most, _PLACE.c.age <= most))
    return list(db.execute(query.order_by(_PLACE.c.fair)))


def _turns(rows: list[Any], last: int, free: int, kept: int) -> dict[str, int | None]:
    """Render id to the number of its turn, None: a place kept for interactive ones."""
    waiting = list(rows)
    turns: dict[str, int | None] = {}
    for turn in range(last + 1, last + 1 + max(free, 0)):
        if not waiting:
            break
        chosen = min(waiting, key=lambda row: row.age) if turn % PATIENCE == 0 else waiting[0]
        waiting.remove(chosen)
        turns[chosen.render_id] = turn
    people = [row.render_id for row in waiting if row.priority == Priority.INTERACTIVE]
    return turns | dict.fromkeys(people[: max(kept, 0)])


def _leave(db: Session) -> list[str]:
    """Take those out of the line whose renders no longer wait; return them."""
    over = sa.and_(m.Render.id == m.RenderOrder.render_id, m.Render.state != RenderState.ACCEPTED)
    gone = sa.delete(m.RenderOrder).where(m.RenderOrder.begun_at.is_(None), over)
    return list(db.scalars(gone.returning(m.RenderOrder.render_id)))


def _free(db: Session, room: Room) -> tuple[int, int]:
    """Free places, and free places kept for interactive orders; negative where more are at work.

    Renders of Airflow's own door, which never stood in line, take up to half of the places. Who waits for a
    person's approval or for equal work is not at work; but no more than OPEN_AT_MOST times the places are
    begun, and with all that wait for approval no more than `room.open`.
    """
    kept = sa.and_(m.RenderOrder.begun_at.is_not(None), m.RenderOrder.turn.is_(None))
    idle = sa.and_(_has_stage(StageState.WAITING), ~_has_stage(StageState.RUNNING))
    number, judged = sa.func.count(), m.Render.awaits_approval
    stood = m.RenderOrder.turn.is_not(None)
    latest = sa.select(m.RenderOrder.render_id).where(m.RenderOrder.begun_at.is_not(None))
    latest = latest.order_by(m.RenderOrder.begun_at.desc()).limit(LATEST)
    awaited = sa.and_(m.Render.state == RenderState.ACCEPTED, m.Render.id.in_(latest))
    working = sa.and_(m.Render.state == RenderState.RUNNING, m.Render.run_id.is_not(None))
    query = (
        sa.select(
            number.filter(stood, ~idle, ~judged),
            number.filter(stood, ~judged),
            number.filter(kept, ~judged),
            number.filter(~kept, ~stood, ~idle, ~judged),
            number.filter(~kept, ~stood, ~judged),
            number,
        )
        .select_from(m.Render)
        .outerjoin(m.RenderOrder, m.RenderOrder.render_id == m.Render.id)
        .where(
            m.Render.id.in_(sa.union_all(*(sa.select(m.Render.id).where(one) for one in (working, awaited))))
        )
    )
    at_work, begun, people, others_at_work, others, all_open = db.execute(query).one()
    half, left = room.renders // 2, room.open - all_open
    free = room.renders - at_work - min(others_at_work, half)
    unbegun = OPEN_AT_MOST * (room.renders - min(others, half)) - begun
    return min(free, unbegun, left), min(room.kept - people, left)


def _has_stage(state: StageState) -> sa.ColumnElement[bool]:
    return sa.exists().where(m.StageRun.render_id == m.Render.id, m.StageRun.state == state)


def ends(db: Session, render_ids: Sequence[str]) -> dict[str, datetime | None]:
    """Expected end of each of these renders that waits in line."""
    if not render_ids:
        return {}
    rows = db.execute(sa.select(_PLACE).where(_PLACE.c.render_id.in_(render_ids))).all()
    pace = Pace.measured(db)
    return {row.render_id: pace.times(row.until_s, row.work_s)[1] for row in rows}


def first(db: Session, most: int) -> list[Place]:
    """The first so many of the line."""
    pace = Pace.measured(db)
    rows = _ahead(db, most)[:most]
    return [
        Place(
            row.render_id, row.caller, Priority(row.priority), row.fair, *pace.times(row.until_s, row.work_s)
        )
        for row in rows
    ]


def times_of(db: Session, render_id: str) -> tuple[datetime | None, datetime | None] | None:
    """When an order in line is expected to begin and to end; None for one that does not stand there."""
    row = db.execute(_UNTIL, {"render_id": render_id}).first()
    return Pace.measured(db).times(row.until_s, row.work_s) if row else None


def next_of(db: Session, caller: str) -> datetime | None:
    """When the first of a caller's orders is expected to begin; of one who has none, the next of the line."""
    mine = sa.and_(m.RenderOrder.caller == caller, m.RenderOrder.begun_at.is_(None))
    own = sa.select(m.RenderOrder.render_id).where(mine)
    soonest = db.scalar(own.order_by(m.RenderOrder.priority, m.RenderOrder.placed_at).limit(1))
    times = times_of(db, soonest) if soonest else None
    return times[0] if times else Pace.measured(db).times(_usual(db)[0], 0.0)[0]


@dataclass(frozen=True)
class Pace:
    """Seconds that pass for a second of work: between two begins, and from a begin to its end."""

    begin: float
    stay: float

    @classmethod
    def measured(cls, db: Session) -> Pace:
        """Pace of the last turns; before there are enough, as if work were done one piece after another."""
        turns, passed_s, work_s = db.execute(_PACE, {"turns": RECENT + 1}).one()
        begin = float(passed_s) / work_s if turns >= ENOUGH and work_s else 1.0
        stay = db.scalar(_STAY, {"turns": 2 * RECENT})
        return cls(begin, 1.0 if stay is None else float(stay))

    def times(self, until_s: float, work_s: float) -> tuple[datetime | None, datetime | None]:
        """Begin and end of a render behind so much work, its own included; None: in more than ten years."""
        begins_s = self.begin * until_s
        ends_s = begins_s + self.stay * work_s
        if ends_s >= FAR.total_seconds():
            return None, None
        return records.now() + timedelta(seconds=begins_s), records.now() + timedelta(seconds=ends_s)
