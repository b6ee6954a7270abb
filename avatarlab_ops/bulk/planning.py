"""From what was asked to items in batches: every row is checked, counted and predicted before any starts."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from avatarlab_ops import pipeline
from avatarlab_ops.bulk import languages, report, template
from avatarlab_ops.bulk.contract import BulkRequest
from avatarlab_ops.bulk.rows import KEY, Problem, Row, check_size, read
from avatarlab_ops.bulk.selection import choose
from avatarlab_ops.canonical import Json
from avatarlab_ops.errors import (
    AvatarlabError,
    BudgetExceeded,
    InputError,
    ReferenceRefused,
    RequestInvalid,
    TransientError,
)
from avatarlab_ops.graph import GRAPH, recipe
from avatarlab_ops.plan import Plan
from avatarlab_ops.printable import printable
from avatarlab_ops.renders import budget, prediction
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.settings import Settings
from avatarlab_ops.stages.admit import admit
from avatarlab_ops.stages.context import workspace
from avatarlab_ops.stages.inspection import Seen
from avatarlab_ops.states import ItemState
from avatarlab_ops.stores import catalog
from avatarlab_ops.stores.catalog import bulk, rates, records
from avatarlab_ops.stores.objects import objects
from avatarlab_ops.trust import inputs

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from avatarlab_ops.stores.catalog.tables import Artifact, BulkRun, Rate

TURN_S = 30.0  # GPU-seconds of one batch: about one ordinary task, so that single requests wait no longer
BATCH_ITEMS = 25
MAX_BATCHES = 500  # Airflow maps at most 1024 tasks; longer runs get larger batches, which take several turns
SHOWN = 50  # problems that are told one by one
SHOWN_CHARACTERS = 500  # of each
ITEM_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,89}")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outline:
    """A bulk run as planned. Small enough for XCom (`dataclasses.asdict`)."""

    bulk_id: str
    dry_run: bool
    items: int
    waiting: int  # items that have not ended
    predicted_gpu_s: float  # for the waiting items
    problems: int  # rows that are left out because they are wrong
    told: tuple[str, ...] = ()  # what is wrong with the first of these rows
    noted: int = 0  # items with notes; 0 for a run that was planned before
    notes: tuple[str, ...] = ()  # notes of the first of these items, one text for each
    over_budget: str | None = None  # why the budget would refuse it; in a dry run only
    batches: tuple[int, ...] = ()


@dataclass(frozen=True)
class Draft:
    """One request to be made an item. `where` names it in messages."""

    where: str
    line: int | None
    key: str
    request: AvatarRequest
    variables: Json | None = None
    source: str | None = None


@dataclass
class _Told:
    """What is wrong, or was noticed: of how many rows, the first of it in words."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """Count one more; the first `SHOWN` are kept in words."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(printable(reason, SHOWN_CHARACTERS))

    def text(self) -> str:
        more = self.count - len(self.first)
        return "\n".join([*self.first, *([f"and {more} more"] if more else [])])


def plan(
    settings: Settings, asked: BulkRequest, *, bulk_id: str, caller: str, run_id: str | None = None
) -> Outline:
    """Plan a bulk run, or find what is left of one that was planned before. `run_id`: Airflow's run.

    Raises RequestInvalid with every wrong line when the file is wrong and partial runs were not asked for, or
    when `bulk_id` was used for something else; BudgetExceeded. Then nothing has started.
    """
    pipeline.ready_stores(settings)
    if asked.dry_run:
        check_deadline(settings, asked, bulk_id)
    with catalog.transaction(settings.pg_dsn) as db:
        known = None if asked.dry_run else bulk.find(db, bulk_id)
        if known is not None:
            return _again(db, known, asked, run_id)
        return _Planner(settings, db, asked, bulk_id, caller=caller, run_id=run_id).run()


def plan_or_tell(
    settings: Settings, asked: BulkRequest, *, bulk_id: str, caller: str, run_id: str, last_try: bool,
    address: str | None,
) -> Outline:  # fmt: skip
    """`plan` as a run's first task; a refusal, or the failure of the last try, is told as its end would be.

    `address`: as `report.finish` takes it. Raises what `plan` raises.
    """
    try:
        return plan(settings, asked, bulk_id=bulk_id, caller=caller, run_id=run_id)
    except AvatarlabError as error:
        if not asked.dry_run and (last_try or not error.retryable):
            _tell(settings, bulk_id, caller, error, address)
        raise


def _tell(settings: Settings, bulk_id: str, caller: str, why: AvatarlabError, address: str | None) -> None:
    try:
        report.tell_unplanned(settings, bulk_id, caller, why, address=address)
    except TransientError as error:  # the catalog is away: the first reason matters more
        log.warning("nobody was told of the failure of bulk run %s: %s", bulk_id, error)


def _again(db: Session, known: BulkRun, asked: BulkRequest, run_id: str | None) -> Outline:
    """What is left of a bulk run."""
    _check_same(known, asked)
    if run_id is None or run_id != known.run_id:  # else a cleared run, which asks for nothing new
        _move(db, known, asked)
    known.run_id = run_id
    counts = bulk.counts(db, known.id)
    return Outline(
        bulk_id=known.id,
        dry_run=False,
        items=sum(counts.values()),
        waiting=counts.get(ItemState.WAITING, 0),
        predicted_gpu_s=bulk.predicted(db, known.id, waiting=True),
        problems=known.problems["count"],
        told=tuple(known.problems["first"]),
        batches=tuple(bulk.open_batches(db, known.id)),
    )


def _check_same(known: BulkRun, asked: BulkRequest) -> None:
    if known.spec_sha256 != asked.digest():
        raise RequestInvalid(
            f"name: {known.id!r} is another bulk run ({known.spec}); choose a new name, or ask for the same"
        )


def _move(db: Session, known: BulkRun, asked: BulkRequest) -> None:
    """Another deadline for a run with items left; when all have ended, it ended by the deadline it had."""
    if asked.deadline and asked.deadline != known.deadline and bulk.left(db, known.id)[0]:
        known.deadline, known.late_told_at = asked.deadline, None


def move_deadline(settings: Settings, asked: BulkRequest, bulk_id: str) -> bool:
    """Give a planned bulk run the deadline that is asked for, if one is; False when none was planned.

    Raises RequestInvalid when `bulk_id` was used for something else.
    """
    with catalog.transaction(settings.pg_dsn) as db:
        known = bulk.find(db, bulk_id)
        if known is not None:
            _check_same(known, asked)
            _move(db, known, asked)
    return known is not None


def check_deadline(settings: Settings, asked: BulkRequest, bulk_id: str) -> None:
    """For the doors; a run that was let in may be planned late. Raises RequestInvalid for a time gone by.

    The deadline that the bulk run has already may be asked for again at any time.
    """
    if asked.deadline is None or asked.deadline > records.now():
        return
    with catalog.transaction(settings.pg_dsn) as db:
        known = bulk.find(db, bulk_id)
        if known is None or known.deadline != asked.deadline:
            raise RequestInvalid(f"deadline: {asked.deadline.isoformat()} has passed; give a time to come")


class _Planner:
    """Writes a new bulk run in one transaction, item by item, so that memory does not grow with the file."""

    def __init__(
        self,
        settings: Settings,
        db: Session,
        asked: BulkRequest,
        bulk_id: str,
        *,
        caller: str,
        run_id: str | None,
    ) -> None:
        self.settings, self.db, self.asked = settings, db, asked
        self.bulk_id, self.caller, self.run_id = bulk_id, caller, run_id
        self.problems, self.notes = _Told(), _Told()
        self.seen = Seen()
        self.keys: dict[str, str] = {}  # key of an item to where it was seen
        self.asked_as: dict[str, str] = {}  # idempotency key of a row to where it was seen
        self.rates: list[Rate] = rates.known(db)
        self.promised: set[str] = set()  # fingerprints that an item before will have made
        self.made: dict[str, Artifact] = {}  # those that exist
        self.batch, self.batch_items, self.batch_gpu_s, self.items, self.gpu_s = 0, 0, 0.0, 0, 0.0

    def run(self) -> Outline:
        """Check everything, then keep it unless the run is a dry one."""
        files = {"file": self.asked.file, "template": self.asked.template}
        inputs.check_open(self.db, files, self.caller)
        text = self._template_text()
        if self.asked.file is None and not self.asked.dry_run:
            bulk.choose_alone(self.db)
        self._begin(text)
        page: list[Json] = []
        for draft in self._drafts(template.parse(text) if text else None):
            row = self._item(draft)
            if row is None or self.asked.dry_run or self._refused():
                continue
            page.append(row)
            if len(page) >= bulk.PAGE:
                bulk.add_items(self.db, page)
                page = []
        if self._refused():
            raise RequestInvalid(f"nothing was started:\n{self.problems.text()}")
        over_budget = self._check_budget()
        if not self.asked.dry_run:
            bulk.add_items(self.db, page)
            self._end()
        return self._outline(over_budget)

    def _refused(self) -> bool:
        """A wrong row stops a file; a published video that cannot be made anew does not stop the others."""
        wrong = self.problems.count > 0 and self.asked.file is not None
        return wrong and not self.asked.partial and not self.asked.dry_run

    def _template_text(self) -> bytes | None:
        if self.asked.template is None:
            return None
        found = _head(self.settings, "template", self.asked.template)
        check_size(found.bytes, self.asked.template)
        return objects(self.settings).read(found.bucket, found.key)

    def _begin(self, text: bytes | None) -> None:
        if self.asked.dry_run:
            return
        begun = bulk.begin(
            self.db,
            id=self.bulk_id,
            run_id=self.run_id,
            caller=self.caller,
            spec=self.asked.model_dump(mode="json"),
            spec_sha256=self.asked.digest(),
            template_uri=self.asked.template,
            template_sha256=hashlib.sha256(text).hexdigest() if text else None,
            problems=asdict(self.problems),
            deadline=self.asked.deadline,
        )
        if not begun:
            raise TransientError(f"bulk run {self.bulk_id} was planned by another process just now")

    def _end(self) -> None:
        known = bulk.existing(self.db, self.bulk_id)
        known.problems = asdict(self.problems)
        if self.batch >= MAX_BATCHES:
            self.db.flush()
            bulk.fold_batches(self.db, self.bulk_id, MAX_BATCHES)

    def _outline(self, over_budget: str | None) -> Outline:
        return Outline(
            bulk_id=self.bulk_id,
            dry_run=self.asked.dry_run,
            items=self.items,
            waiting=self.items,
            predicted_gpu_s=round(self.gpu_s, 3),
            problems=self.problems.count,
            told=tuple(self.problems.first),
            noted=self.notes.count,
            notes=tuple(self.notes.first),
            over_budget=over_budget,
            batches=() if self.asked.dry_run else tuple(bulk.open_batches(self.db, self.bulk_id)),
        )

    def _check_budget(self) -> str | None:
        try:
            budget.check(self.db, self.caller, self.gpu_s, besides=self.bulk_id)
        except BudgetExceeded as error:
            if not self.asked.dry_run:
                raise
            return str(error)
        return None

    def _drafts(self, form: Json | None) -> Iterator[Draft]:
        """Every request that is right as far as the contract goes."""
        if self.asked.file is None:
            yield from self._chosen()
            return
        needed = template.names(form) if form else None
        with _opened(self.settings, self.asked.file) as (stream, name):
            for row in read(stream, name, variables=needed):
                if isinstance(row, Problem):
                    self.problems.add(str(row))
                    continue
                yield from self._translated(row, form)

    def _translated(self, row: Row, form: Json | None) -> Iterator[Draft]:
        """The row's request, or that of each of its languages."""
        where = f"line {row.line}"
        try:
            said = languages.items(row.values, template=form is not None)
        except InputError as error:
            self.problems.add(f"{where}: {error}")
            return
        if unused := languages.unused(row.values, template=form is not None):
            self.notes.add(f"{where}: {'; '.join(unused)}")
        for language, values in said:
            of = f"{where}, {language}" if language else where
            try:
                yield _draft(of, row.line, values, form, language)
            except InputError as error:
                self.problems.add(f"{of}: {error}")

    def _chosen(self) -> Iterator[Draft]:
        for chosen in choose(self.db, self.settings, self.asked, self.caller):
            where = f"render {chosen.render_id}"
            if chosen.refusal:
                self.problems.add(f"{where}: {chosen.refusal}")
                continue
            try:
                request = AvatarRequest.parse(chosen.body)
            except InputError as error:
                self.problems.add(f"{where}: {error}")
                continue
            yield Draft(where, None, chosen.render_id, request, chosen.variables, chosen.render_id)

    def _item(self, draft: Draft) -> Json | None:
        """The item's row, None when something is wrong with it."""
        try:
            self._claim(draft)
            if draft.request.deadline:
                raise RequestInvalid("deadline: a row has none; give it to the bulk run")
            pipeline.check_references(self.settings, draft.request)
            inputs.check_use(self.db, draft.request, self.caller)  # also of others' videos made anew
            found = admit(self.settings, draft.request, self.seen, caller=self.caller)
        except InputError as error:
            self.problems.add(f"{draft.where}: {error}")
            return None
        if found.warnings:
            self.notes.add(f"{draft.where}: {'; '.join(found.warnings)}")
        gpu_s = self._predict(found)
        self._pack(gpu_s)
        return {
            "bulk_id": self.bulk_id,
            "number": self.items,
            "key": draft.key,
            "line": draft.line,
            "request": _named(draft, self.bulk_id).canonical(),
            "variables": draft.variables,
            "source": draft.source,
            "batch": self.batch,
            "predicted_gpu_s": gpu_s,
        }

    def _claim(self, draft: Draft) -> None:
        if not ITEM_KEY.fullmatch(draft.key):
            raise RequestInvalid(
                f"{KEY}: {draft.key[:99]!r} must be 1 to 90 letters, digits, '_', '.', ':', '-'"
            )
        if draft.key in self.keys:
            raise RequestInvalid(f"{KEY}: {draft.key!r} was used on {self.keys[draft.key]}; keys must differ")
        self.keys[draft.key] = draft.where
        self._claim_request(draft.where, draft.request)

    def _claim_request(self, where: str, request: AvatarRequest) -> None:
        """A row's own idempotency key names one request: of this file, and of all that its caller asked."""
        if (key := request.idempotency_key) is None:
            return
        if key in self.asked_as:
            raise RequestInvalid(
                f"idempotency_key: {key!r} was used on {self.asked_as[key]}; give each row one of its own, "
                "or none"
            )
        self.asked_as[key] = where
        if known := records.asked_before(self.db, self.caller, key):
            records.check_same(known, request)

    def _predict(self, found: Plan) -> float:
        """GPU-seconds of an item: nothing for what exists, or what an item before it makes."""
        artifacts: dict[str, Artifact] = {}
        free: list[str] = []
        for stage in GRAPH:
            wanted = recipe(stage, found, artifacts) if stage.wanted(found) else None
            if wanted is None:
                continue
            made = self._find(wanted.fingerprint)
            if made is not None:
                artifacts[stage.name] = made
            elif wanted.fingerprint in self.promised:
                free.append(stage.name)
            self.promised.add(wanted.fingerprint)
        return prediction.gpu_s(prediction.predict(self.rates, found, artifacts, free))

    def _find(self, fingerprint: str) -> Artifact | None:
        if fingerprint not in self.made and fingerprint not in self.promised:
            found = records.find_artifact(self.db, fingerprint)
            if found is not None:
                self.made[fingerprint] = found
        return self.made.get(fingerprint)

    def _pack(self, gpu_s: float) -> None:
        """Next item, into the same batch while one turn holds it."""
        full = self.batch_items >= BATCH_ITEMS or self.batch_gpu_s + gpu_s > TURN_S
        if self.batch_items and full:
            self.batch, self.batch_items, self.batch_gpu_s = self.batch + 1, 0, 0.0
        self.items += 1
        self.batch_items += 1
        self.batch_gpu_s += gpu_s
        self.gpu_s += gpu_s


def _named(draft: Draft, bulk_id: str) -> AvatarRequest:
    """The request under a key of its own, by which it is rendered once however often it is tried."""
    if draft.request.idempotency_key:
        return draft.request
    return draft.request.model_copy(update={"idempotency_key": f"bulk:{bulk_id}:{draft.key}"})


def _draft(where: str, line: int, values: Json, form: Json | None, language: str) -> Draft:
    """What a row says in one language as a request. Raises InputError for whatever the contract refuses."""
    needed = template.names(form) if form else frozenset()
    given = {name: value for name, value in values.items() if name != KEY or KEY in needed}
    if form is None:
        request, variables = AvatarRequest.parse(given), None
    else:
        request, variables = AvatarRequest.parse(template.request(form, given)), given
    tail = f".{language}" * bool(language)
    key = str(values.get(KEY) or request.idempotency_key or f"line-{line}") + tail
    if request.idempotency_key and language:
        own = {"idempotency_key": request.idempotency_key + tail}
        request = AvatarRequest.parse(request.canonical() | own)
    return Draft(where, line, key, request, variables)


def _head(settings: Settings, field_name: str, uri: str) -> Any:
    found = objects(settings).head(*inputs.place(settings, uri, field_name))
    if found is None:
        raise ReferenceRefused(f"{field_name}: {uri} does not exist; upload it or correct the reference")
    return found


@contextmanager
def _opened(settings: Settings, uri: str) -> Iterator[tuple[BinaryIO, str]]:
    """The file's bytes and name. Raises RequestInvalid for one that is too large, before it is read."""
    found = _head(settings, "file", uri)
    check_size(found.bytes, uri)
    with workspace(settings, "bulk") as folder:
        path = folder / "rows"
        objects(settings).download(found.bucket, found.key, path, sha256=found.sha256, max_bytes=found.bytes)
        with path.open("rb") as stream:
            yield stream, Path(found.key).name
