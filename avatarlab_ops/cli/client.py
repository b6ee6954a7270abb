"""Airflow's REST API as far as Avatarlab's command line needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from avatarlab_ops import environment
from avatarlab_ops.embedded import logins
from avatarlab_ops.errors import InputError, RequestInvalid, TransientError, of_code
from avatarlab_ops.files import replacing
from avatarlab_ops.places import BULK_DAG, OVER, RENDER_DAG
from avatarlab_ops.request import AvatarRequest
from avatarlab_ops.states import RenderState

API = "/avatarlab/api/v1"
CANCEL_TRIES = 3


class AirflowClient:
    """One logged-in connection. Raises TransientError when Airflow does not answer."""

    def __init__(self, address: str, username: str, password: str, token: str | None = None) -> None:
        self._http = httpx.Client(base_url=address, timeout=60, trust_env=False)
        self._login = {"username": username, "password": password}
        self._has_token = bool(token)
        if token:
            self._http.headers["Authorization"] = f"Bearer {token}"

    @classmethod
    def from_home(cls, home: Path) -> Self:
        """Use $AVATARLAB_AIRFLOW_URL with _TOKEN, or with _USER and _PASSWORD.

        Without them, the Airflow that `avatarlab up` started.
        """
        known = environment.read()
        if known.airflow_url:
            token = known.airflow_token.get_secret_value() if known.airflow_token else None
            password = known.airflow_password.get_secret_value()
            return cls(known.airflow_url, known.airflow_user, password, token)
        try:
            address, login = _started(home), logins.login(home)
        except FileNotFoundError as error:
            raise TransientError(f"no Airflow has been started in {home}; run `avatarlab up`") from error
        return cls(address, *login)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def whole(self, link: str) -> str:
        """Address of a link that the API gives, which is a path of its server."""
        return str(self._http.base_url.join(link))

    def order(self, data: Mapping[str, Any], priority: str = "normal") -> dict[str, Any]:
        """Order a render and return it as `GET /renders/{id}` tells it. `priority`: of states.Priority.

        A key of the request's own names the order. Without one an equal request that is at work or published
        is not ordered again. Raises the error of errors.py that refuses the request.
        """
        asked = AvatarRequest.parse(data)
        body = asked.canonical() | {"idempotency_key": None}
        if priority != "normal":  # a server of before the line knows no such field
            body |= {"priority": priority}
        for attempt in count(1):
            key = asked.idempotency_key or f"request-{asked.digest()[:32]}.{attempt}"
            answer = self._call(
                "POST", f"{API}/renders", json=body, headers={"Idempotency-Key": key}, accept=range(400, 500)
            )
            told = dict(_accepted(answer).json())
            if asked.idempotency_key or told["state"] not in (RenderState.FAILED, RenderState.CANCELLED):
                break
        return told

    def render(self, render_id: str) -> dict[str, Any]:
        """All that is known of a render."""
        return dict(self.get(f"{API}/renders/{render_id}"))

    def awaiting(self) -> Iterator[dict[str, Any]]:
        """Renders that wait for an operator's approval, newest first, as the API's list shows them."""
        query: dict[str, Any] = {"awaits_approval": True}
        while True:
            page = self._call("GET", f"{API}/renders", params=query).json()
            yield from page["renders"]
            if page["cursor"] is None:
                return
            query["cursor"] = page["cursor"]

    def decide(self, render_id: str, act: Literal["approve", "refuse"], **query: str) -> dict[str, Any]:
        """Decide about a render that waits for approval. Raises the error that refuses it."""
        path = f"{API}/renders/{quote(render_id, safe='')}/{act}"
        return dict(_accepted(self._call("POST", path, params=query, accept=range(400, 500))).json())

    def consent_link(self, consent_id: str, days: int) -> str:
        """An address for the person shown, which expires. Raises the error that refuses it."""
        path = f"{API}/consents/{quote(consent_id, safe='')}/shares"
        answer = self._call("POST", path, json={"days": days}, accept=range(400, 500))
        return str(_accepted(answer).json()["url"])

    def save(self, link: str, path: Path) -> None:
        """Copy a file that a render links to, whole or not at all; its bytes come from the object store."""
        address = self._call("GET", self.whole(link), accept=(307,)).headers["location"]
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                replacing(path) as draft,
                httpx.stream("GET", address, timeout=60, trust_env=False) as answer,
                draft.open("wb") as file,
            ):
                answer.raise_for_status()
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise TransientError(f"the object store did not answer for {path.name}: {error}") from error

    def regenerate(self, data: Mapping[str, Any], name: str) -> str:
        """Trigger a bulk run and return its run id; one of this name that failed is continued."""
        return self._begin(name, data, BULK_DAG)

    def _begin(self, first: str, conf: Mapping[str, Any], dag: str) -> str:
        for attempt in count(1):
            run_id = first if attempt == 1 else f"{first}.{attempt}"
            if self.trigger(run_id, conf, dag) or self.run(run_id, dag)["state"] != "failed":
                break
        return run_id

    def trigger(self, run_id: str, conf: Mapping[str, Any], dag: str = RENDER_DAG) -> bool:
        """Begin a run; False when one of this id exists. RequestInvalid when Airflow refuses `conf`."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        answer = self._call("POST", f"/api/v2/dags/{dag}/dagRuns", json=body, accept=(400, 409, 422))
        if answer.status_code in (400, 422):
            raise RequestInvalid(_detail(answer))
        return answer.is_success

    def run(self, run_id: str, dag: str = RENDER_DAG) -> dict[str, Any]:
        """Airflow's record of a run. Raises InputError when there is none."""
        answer = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}", accept=(404,))
        if answer.status_code == 404:
            raise InputError(
                f"Airflow knows no run {run_id!r} of {dag}; `avatarlab submit` prints the id of a run"
            )
        return dict(answer.json())

    def runs(self, dag: str, limit: int) -> list[dict[str, Any]]:
        """Airflow's records of the newest runs, the newest first."""
        query = {"order_by": "-run_after", "limit": limit}
        answer = self._call("GET", f"/api/v2/dags/{dag}/dagRuns", params=query)
        return list(answer.json()["dag_runs"])

    def cancel(self, run_id: str, note: str, dag: str = RENDER_DAG) -> bool:
        """End a run, which ends its tasks; False if it had ended. Raises InputError like `run`."""
        change = {"state": "failed", "note": note}
        for left in reversed(range(CANCEL_TRIES)):
            if self.run(run_id, dag)["state"] in OVER:
                return False
            try:
                self._call("PATCH", f"/api/v2/dags/{dag}/dagRuns/{run_id}", json=change)
            except TransientError:
                # Airflow's transaction lost to one of its scheduler: a deadlock, 409 or 500.
                if not left:
                    raise
            else:
                break
        return True

    def tasks(self, run_id: str, dag: str = RENDER_DAG) -> dict[str, str]:
        """State of every task of a run, by task id."""
        answer = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")
        return {task["task_id"]: task["state"] or "waiting" for task in answer.json()["task_instances"]}

    def xcom(self, run_id: str, task: str, key: str = "return_value", dag: str = RENDER_DAG) -> Any:
        """A value that a task left; None when there is none."""
        url = f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances/{task}/xcomEntries/{key}"
        answer = self._call("GET", url, params={"deserialize": False}, accept=(404,))
        return None if answer.status_code == 404 else _plain(answer.json()["value"])

    def get(self, path: str) -> Any:
        """Any other GET, decoded."""
        return self._call("GET", path).json()

    def _authorise(self) -> None:
        if "Authorization" in self._http.headers:
            return
        try:
            answer = self._http.post("/auth/token", json=self._login)
        except httpx.HTTPError as error:
            raise self._away(error) from error
        if answer.status_code == 401:
            raise InputError(
                "Airflow refuses the login; check AVATARLAB_AIRFLOW_USER and AVATARLAB_AIRFLOW_PASSWORD"
            )
        if not answer.is_success:
            raise TransientError(f"Airflow's login answers {answer.status_code}")
        self._http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def _log_out(self) -> None:
        """Forget a login that has expired. Raises InputError for a token that was given."""
        if self._has_token:
            raise InputError("Airflow refuses the token; it may have expired: renew AVATARLAB_AIRFLOW_TOKEN")
        self._http.headers.pop("Authorization", None)

    def _call(self, method: str, path: str, accept: Collection[int] = (), **fields: Any) -> httpx.Response:
        answer = self._ask(method, path, **fields)
        if answer.status_code == 401:
            self._log_out()
            answer = self._ask(method, path, **fields)
        if not answer.is_success and answer.status_code not in accept:
            raise TransientError(
                f"Airflow answers {answer.status_code} to {method} {path}: {_detail(answer)}"
            )
        return answer

    def _ask(self, method: str, path: str, **fields: Any) -> httpx.Response:
        self._authorise()
        try:
            return self._http.request(method, path, **fields)
        except httpx.HTTPError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> TransientError:
        return TransientError(
            f"Airflow at {self._http.base_url} does not answer ({error}); run `avatarlab up`"
        )


def address_of(home: Path) -> str | None:
    """Airflow's address as `AirflowClient.from_home` finds it; None where none was named or started."""
    try:
        return (environment.read().airflow_url or _started(home)).rstrip("/")
    except FileNotFoundError:
        return None


def _started(home: Path) -> str:
    """Address of the Airflow that `avatarlab up` started. Raises FileNotFoundError where it did not."""
    return str(json.loads((home / "supervisor.json").read_text())["address"])


def _accepted(answer: httpx.Response) -> httpx.Response:
    """The answer, unless it is a refusal: then the error of that code is raised."""
    if answer.is_success:
        return answer
    if answer.headers.get("Content-Type") != "application/problem+json":
        raise InputError(
            f"{answer.url} answers {answer.status_code}, and not as Avatarlab does: does "
            "AVATARLAB_AIRFLOW_URL name an Airflow with Avatarlab's plugin?"
        )
    problem = answer.json()
    raise of_code(problem["code"])(problem["detail"])


def _detail(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail")
    except ValueError:
        detail = answer.text
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return re.sub(r"\s+", " ", text)[:2000]


def _plain(value: Any) -> Any:
    """XCom values arrive as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
