"""Between Airflow and the pipeline: the stage operator, parameters and retries. No DAG lives here."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator, Param
from airflow.sdk.api.datamodels._generated import DagRunType
from airflow.sdk.definitions.retry_policy import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped
from avatarlab_connections import settings
from avatarlab_plugin import ManifestLink, VideoLink
from avatarlab_triggers import Decided, WorkEnded
from structlog.contextvars import bind_contextvars

from avatarlab_ops import graph, pipeline
from avatarlab_ops.errors import (
    UNEXPECTED,
    ApprovalAwaited,
    AvatarlabError,
    OutOfMemory,
    StageTimeout,
    WorkInFlight,
)
from avatarlab_ops.forms import form_schema
from avatarlab_ops.pipeline import StageResult
from avatarlab_ops.places import REFUSAL, RENDER_ID
from avatarlab_ops.renders import status
from avatarlab_ops.trust import callers

if TYPE_CHECKING:
    from airflow.sdk import Context

    from avatarlab_ops.settings import Settings

VIDEOS = Asset("avatarlab_videos")  # an event of it is a published video; other DAGs follow it
# How a run begins: a form or `POST dagRuns`, the clock, a task of another DAG. Airflow refuses others at
# once, a backfill or "materialize asset": they take run ids and settings past `avatarlab_web/door.py`.
# (Its type is the one that `DAG` itself declares; the SDK exports it nowhere else.)
BEGUN = (DagRunType.MANUAL, DagRunType.SCHEDULED, DagRunType.OPERATOR_TRIGGERED)
# Waits that differ from the tasks' exponential backoff: an emptier device soon, a spent budget later.
_DELAYS = {OutOfMemory: timedelta(seconds=5), StageTimeout: timedelta(seconds=30)}
# Mistakes in code: the same call fails the same way again.
DEFECTS = (AssertionError, AttributeError, ImportError, LookupError, NameError, TypeError, ValueError)
log = logging.getLogger(__name__)


def params() -> dict[str, Param]:
    """Airflow's params from the contract, nested fields written with a dot, as `AvatarRequest` accepts them.

    A required nested field has an empty default: the form insists on it, while a REST caller may write the
    field nested. One that may be null has null: Airflow would refuse a run that leaves it out. The contract
    itself is checked where a run is asked for (`avatarlab_web/door.py`), and by the task `admit`.
    """
    return as_params(form_schema())


def as_params(form: dict[str, dict[str, Any]]) -> dict[str, Param]:
    """A form's JSON schemas as Airflow's params."""
    return {name: _param(name, dict(schema)) for name, schema in form.items()}


def _param(name: str, schema: dict[str, Any]) -> Param:
    description = schema.pop("description", None)
    if "default" in schema:
        return Param(schema.pop("default"), description, **schema)
    if "null" in schema.get("type", ()):
        return Param(None, description, **schema)
    if "." in name:
        if pattern := schema.pop("pattern", None):
            schema["pattern"] = f"^$|{pattern}"
        return Param("", description, **schema)
    return Param(description=description, **schema)


def retry_policy() -> ExceptionRetryPolicy:
    """The tree of `avatarlab_ops.errors` as rules, leaves first: the nearest class decides; defects fail."""
    defects = RetryRule(list(DEFECTS), RetryAction.FAIL, reason="defect")
    return ExceptionRetryPolicy([*(_rule(error) for error in _leaves_first(AvatarlabError)), defects])


def _leaves_first(error: type[AvatarlabError]) -> list[type[AvatarlabError]]:
    below = [leaf for child in error.__subclasses__() for leaf in _leaves_first(child)]
    return [*below, error]


def _rule(error: type[AvatarlabError]) -> RetryRule:
    return RetryRule(
        exception=f"{error.__module__}.{error.__qualname__}",
        action=RetryAction.RETRY if error.retryable else RetryAction.FAIL,
        retry_delay=_DELAYS.get(error),
        reason=error.code,
    )


@contextmanager
def saying_why(context: Context) -> Iterator[None]:
    """Say why a task fails: in its log, above Airflow's stack trace, and as XCom for the run's note.

    Before the failure: Airflow ends the run, and writes its note, as soon as it knows that the task failed.
    """
    try:
        yield
    except WorkInFlight:  # waited for, not failed
        raise
    except AvatarlabError as error:
        log.error("%s: %s", error.code, error)
        context["ti"].xcom_push(key=REFUSAL, value={"code": error.code, "reason": str(error)})
        raise


def caller_of(run: Any) -> str:
    """Who triggered a run: the logged-in user, the clock, else Airflow. Budgets are kept by this name."""
    if user := getattr(run, "triggering_user_name", None):
        return callers.of_user(str(user))
    return callers.CLOCK if run.run_type == "scheduled" else "airflow"


class StageOperator(BaseOperator):
    """Runs one stage of the pipeline; skipped when its result exists or the request has no use for it.

    While equal work is done elsewhere, or somebody has to approve what it publishes, it is deferred: it holds
    no worker and no slot of a pool.
    """

    ui_color = "#e2e8f0"

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        kwargs = {"on_failure_callback": report_failure, "retry_policy": retry_policy(), **kwargs}
        super().__init__(task_id=stage, **kwargs)
        self.stage = stage

    def execute(self, context: Context, event: str | None = None) -> dict[str, Any]:
        """Return the stage's small record (`StageResult`) for XCom. `event`: why a deferred task goes on."""
        result = self.run_stage(context, event)
        if result.cached or not result.needed:
            raise AirflowSkipException("its result exists" if result.needed else "this request needs none")
        return asdict(result)

    def run_stage(self, context: Context, event: str | None) -> StageResult:
        """The stage as it ended; while another does equal work, the task is deferred."""
        if event:
            self.log.info("%s goes on: %s", self.stage, event)
        where = settings()
        render_id = self.render_id(where, context)
        bind_contextvars(render_id=render_id)
        try:
            with saying_why(context):
                result = pipeline.run_stage(where, render_id, self.stage, wait=False, deliver_now=False)
        except WorkInFlight as busy:
            for_a_person = isinstance(busy, ApprovalAwaited)
            trigger = Decided([render_id]) if for_a_person else WorkEnded(busy.lock, render_id)
            self.defer(trigger=trigger, method_name="execute")
        self.log.info("%s took %.1f s of work", self.stage, result.compute_s)
        return result

    def render_id(self, where: Settings, context: Context) -> str:  # noqa: ARG002
        """Id of this run's render, as `admit` left it."""
        return str(context["ti"].xcom_pull(task_ids=graph.ADMIT.name, key=RENDER_ID))


class EndOperator(StageOperator):
    """The first or the last stage: documents leave once the task has succeeded."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"on_success_callback": deliver, "on_skipped_callback": deliver, **kwargs})


class AdmitOperator(EndOperator):
    """The first stage: accepts the run's conf as a request, and skips at once what has nothing to do."""

    def execute(self, context: Context, event: str | None = None) -> dict[str, Any]:  # noqa: ARG002
        """Return the record of the stage and what the render will take; refuses what the contract refuses."""
        where = settings()
        with saying_why(context):
            render_id = self.render_id(where, context)
            bind_contextvars(render_id=render_id)
            context["ti"].xcom_push(key=RENDER_ID, value=render_id)
            result = pipeline.run_stage(where, render_id, self.stage, wait=False, deliver_now=False)
        self.log.info("%s took %.1f s of work", self.stage, result.compute_s)
        known = status.of(where, render_id)
        record = asdict(result) | {
            "predicted_s": known.predicted_s,
            "predicted_gpu_s": known.predicted_gpu_s,
            "expected_end": known.expected_end.isoformat() if known.expected_end else None,
        }
        idle = [stage for stage in graph.STAGES[1:] if stage not in result.pending]
        if idle:
            context["ti"].xcom_push(key="return_value", value=record)
            raise DownstreamTasksSkipped(tasks=idle)  # type: ignore[no-untyped-call]
        return record

    def render_id(self, where: Settings, context: Context) -> str:
        """Id of the render that this run's conf asks for; the same run always gives the same id."""
        run = context["dag_run"]
        begins = not run.clear_number  # what somebody clears is wanted again
        return pipeline.submit(where, run.conf or {}, run_id=run.run_id, caller=caller_of(run), begins=begins)


class PublishOperator(EndOperator):
    """The last stage, with links to what it published, and an event of the asset `avatarlab_videos`."""

    operator_extra_links = (VideoLink(), ManifestLink())

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"outlets": [VIDEOS], **kwargs})

    def execute(self, context: Context, event: str | None = None) -> dict[str, Any]:
        """Publish; the event tells which video, and the labels of its request.

        What is found published was so by a try that died before Airflow heard of it: its event is told now.
        """
        result = self.run_stage(context, event)
        context["outlet_events"][VIDEOS].extra = told_of_video(settings(), result.render_id)
        return asdict(result)


def told_of_video(where: Settings, render_id: str) -> dict[str, Any]:
    """What an event of the asset says of a published video."""
    from avatarlab_ops.renders import listing

    known, asked = status.of(where, render_id), listing.one(where, render_id).request
    return {
        "render_id": render_id,
        "caller": asked.caller,
        "labels": asked.body["labels"],
        "video": known.video_uri,
        "manifest": known.manifest_uri,
        "duration_s": known.measures.get("duration_s"),
    }


def deliver(context: Context) -> None:
    """Send on what is known of the render; Airflow calls it when the task's state is stored."""
    pipeline.deliver(settings(), str(context["ti"].xcom_pull(task_ids=graph.ADMIT.name, key=RENDER_ID)))


def report_failure(context: Context) -> None:
    """Tell the user why a task failed for good: in the catalog, and as XCom beside the task's log.

    Airflow calls it in the task's process, or, when that process was killed, in the DAG processor. That one
    knows no exception and may not write XComs, so the catalog comes first.
    """
    task = context["ti"]
    error = context.get("exception") or f"the process of {task.task_id} ended before its task did"
    told = {"code": AvatarlabError.code, "reason": error if isinstance(error, str) else repr(error)}
    if isinstance(error, BaseException):
        told["code"] = getattr(error, "code", UNEXPECTED)
    if isinstance(error, AvatarlabError):
        told["reason"] = str(error)
    if render_id := _render_of(task):
        reason = error if isinstance(error, BaseException) else told["reason"]
        pipeline.fail(settings(), render_id, reason, stage=task.task_id)
    task.xcom_push(key=REFUSAL, value=told)


def _render_of(task: Any) -> str | None:
    """The render that `admit` left; where it refused what was ordered, the one that the run was begun for."""
    if left := task.xcom_pull(task_ids=graph.ADMIT.name, key=RENDER_ID):
        return str(left)
    return next(iter(status.renders_of_run(settings(), task.run_id)), None)
