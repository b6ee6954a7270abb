"""Errors as problem documents (RFC 9457): a stable code, the sentence that people read, and what may help.

Every error of `avatarlab_ops.errors` has its code here as everywhere; those of HTTP itself have their own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from avatarlab_ops import errors
from avatarlab_ops.refusal import faults, refused

MEDIA_TYPE = "application/problem+json"
AGAIN_S = 5  # when a store is away, or its places are taken
STANDS_S = 600  # when too many wait and nothing begins, so that nobody knows when one has left
# The first that fits; whatever is not named here is a defect of ours.
STATUS: tuple[tuple[type[errors.AvatarlabError], int], ...] = (
    (errors.InputError, 422),
    (errors.FitsLater, 429),
    (errors.RenderCancelled, 409),
    (errors.TransientError, 503),
    (errors.OutOfMemory, 503),
)
CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    422: errors.RequestInvalid.code,
    429: "too_many",
}
log = logging.getLogger(__name__)


class Fault(BaseModel):
    """What is wrong with one field."""

    field: str = Field(examples=["output.fps"])
    detail: str


class Problem(BaseModel):
    """A problem document."""

    model_config = ConfigDict(extra="allow")
    type: str = Field(description="about:blank; `code` tells problems apart.", default="about:blank")
    title: str
    status: int
    detail: str = Field(description="What was given, what is allowed, what to do.")
    code: str = Field(description="Stable name of the reason.", examples=["consent"])
    retryable: bool = Field(description="Whether the same call may succeed later.")
    errors: list[Fault] = Field(default_factory=list, description="Field by field, where fields are wrong.")


class Refusal(Exception):
    """A refusal of HTTP's own, with a stable code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


def _answer(
    status: int, code: str, detail: str, *, retryable: bool = False, headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> JSONResponse:  # fmt: skip
    title = HTTPStatus(status).phrase
    shown = Problem(
        title=title, status=status, detail=detail, code=code, retryable=retryable,
        errors=[Fault(**fault) for fault in errors or ()],
    )  # fmt: skip
    return JSONResponse(shown.model_dump(), status, media_type=MEDIA_TYPE, headers=headers)


def _status_of(error: errors.AvatarlabError) -> int:
    """HTTP status of the answer to an error of our own tree; a defect of ours is written to the log."""
    status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
    if status == 500:
        log.error("%s: %s", error.code, error, exc_info=error)
    return status


def _known(_request: Request, error: Exception) -> JSONResponse:
    """An error of our own tree."""
    assert isinstance(error, errors.AvatarlabError)  # noqa: S101 (registered for no other)
    status = _status_of(error)
    cause = error.__cause__
    told = faults(cause.errors(include_url=False)) if isinstance(cause, ValidationError) else None
    return _answer(
        status, error.code, str(error), retryable=error.retryable, headers=_again(error, status), errors=told
    )


def _again(error: errors.AvatarlabError, status: int) -> dict[str, str] | None:
    if isinstance(error, errors.FitsLater) and error.fits_at is not None:
        seconds = (error.fits_at - datetime.now(UTC)).total_seconds()
        return {"Retry-After": str(max(1, round(seconds)))}
    if isinstance(error, errors.QueueFull):
        return {"Retry-After": str(STANDS_S)}
    return {"Retry-After": str(AGAIN_S)} if status == 503 else None


def _refused(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)  # noqa: S101
    return _answer(error.status, error.code, error.detail)


def _http(_request: Request, error: Exception) -> JSONResponse:
    """What Airflow's login, or routing, refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    code = CODES.get(status, "http")
    headers = dict(error.headers or {})
    return _answer(status, code, str(error.detail), retryable=status == 429, headers=headers)


def _malformed(_request: Request, error: Exception) -> JSONResponse:
    """A parameter or body that breaks its schema."""
    assert isinstance(error, RequestValidationError)  # noqa: S101
    details: list[Any] = [fault | {"loc": fault["loc"][1:]} for fault in error.errors()]  # without "body"
    found = refused(details)
    return _answer(422, found.code, str(found), errors=faults(details))


_UNKEPT = "a parameter or field holds the character NUL, or a number beyond 64 bits; correct it"


def _unkept(_request: Request, _error: Exception) -> JSONResponse:
    """A text with NUL, or a number beyond 64 bits, that PostgreSQL takes for no value."""
    return _answer(422, errors.RequestInvalid.code, _UNKEPT)


def _defect(_request: Request, error: Exception) -> JSONResponse:
    log.error("the API failed", exc_info=error)
    return _answer(500, "unexpected", "Avatarlab failed here; the api-server's log says why")


# Whatever goes wrong that is no defect of ours, and its document.
ANSWERS: dict[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
    errors.AvatarlabError: _known,
    Refusal: _refused,
    HTTPException: _http,
    RequestValidationError: _malformed,
    DataError: _unkept,
}


def install(app: FastAPI) -> None:
    """Answer every error under this app by a problem document."""
    for kind, answer in ANSWERS.items():
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, _defect)


def _declared(text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


COMMON: dict[int | str, dict[str, Any]] = {
    401: _declared("Nobody is logged in, or the login has expired.") | {"model": Problem},
    403: _declared("The token is invalid, the role is missing, or a page of another origin asks."),
    422: _declared("What was asked breaks the contract, field by field."),
    503: _declared("A store is away; Retry-After says when to try again."),
}
ORDERING: dict[int | str, dict[str, Any]] = {
    400: _declared("The header Idempotency-Key is missing."),
    413: _declared("The body is larger than a megabyte."),
    429: _declared(
        "The GPU-seconds of the day are spent, or too many orders wait; Retry-After says when it fits."
    ),
}
PACED: dict[int | str, dict[str, Any]] = {
    429: _declared(
        "The caller has asked too often, or all places are taken; Retry-After says when to ask again."
    ),
}
ENDED: dict[int | str, dict[str, Any]] = {409: _declared("It is not in a state that allows this.")}
MISSING: dict[int | str, dict[str, Any]] = {404: _declared("There is no such thing.")}
