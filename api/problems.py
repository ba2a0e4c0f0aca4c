"""Every error as a problem document (RFC 9457), made in one place."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from api.access import MayNot, SignInRefused, TooManyAttempts
from api.records import Conflict, KeyReused, NotFound
from evidence.errors import EvidenceError
from grading.errors import GradingError
from station.ports import CommandRefused, RecorderUnavailable, RecordRefused

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An error that the service itself raises."""

    def __init__(self, status: int, code: str, title: str, detail: str, remedy: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.remedy = remedy


# Which status an error of the house has, what it is called, and what to do.
UNREACHABLE = (
    503,
    "unavailable",
    "The records cannot be reached",
    "Try again; check the database where it lasts. The station keeps its records meanwhile.",
)
KNOWN: dict[type[Exception], tuple[int, str, str, str]] = {
    NotFound: (404, "not_found", "There is no such record", "Check the id."),
    Conflict: (412, "conflict", "The record was changed", "Read it again, then decide."),
    MayNot: (403, "may_not", "This is not yours to do", "Ask somebody who may, or sign in anew."),
    TooManyAttempts: (429, "too_many", "Wrong too often", "Wait, or use your badge."),
    SignInRefused: (401, "not_signed_in", "You are not signed in", "Try again."),
    KeyReused: (422, "key_reused", "The idempotency key was used before", "Take a new key."),
    CommandRefused: (409, "refused", "The line cannot do that now", ""),
    RecordRefused: (409, "record_refused", "The record cannot be taken", "Compare the two."),
    RecorderUnavailable: UNREACHABLE,
    OperationalError: UNREACHABLE,
    PoolTimeout: UNREACHABLE,
    DataError: (422, "invalid", "The request is not valid", "Leave out what no database keeps."),
}

SCHEMA: dict[str, Any] = {
    "description": "A problem document (RFC 9457)",
    "content": {
        MEDIA_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "remedy": {"type": "string"},
                },
            },
            "example": {
                "type": "urn:zonkeur:refused",
                "title": "The line cannot do that now",
                "status": 409,
                "detail": "The line is stopped and cannot hold. Possible now: reset, abort.",
                "remedy": "",
            },
        }
    },
}
RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys(
    (400, 401, 403, 404, 409, 412, 422, 428, 429, 503), SCHEMA
)


def problem(status: int, code: str, title: str, detail: str, remedy: str = "") -> JSONResponse:
    """Return a problem document."""
    body = {
        "type": f"urn:zonkeur:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "remedy": remedy,
    }
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of the service a problem document."""
    app.add_exception_handler(Problem, _own)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(EvidenceError, _evidence)
    app.add_exception_handler(GradingError, _evidence)
    app.add_exception_handler(Exception, _unknown)
    for kind in KNOWN:
        app.add_exception_handler(kind, _known)


def _own(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem(error.status, error.code, error.title, error.detail, error.remedy)


def _known(_: Request, error: Exception) -> JSONResponse:
    status, code, title, remedy = next(v for kind, v in KNOWN.items() if isinstance(error, kind))
    detail = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    answer = problem(status, code, title, detail, remedy)
    if isinstance(error, TooManyAttempts):
        answer.headers["Retry-After"] = str(error.wait)
    return answer


def _evidence(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, (EvidenceError, GradingError))
    return problem(409, error.code, error.title, error.detail, error.remedy)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )
    return problem(422, "invalid", "The request is not valid", faults)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    answer = problem(error.status_code, "http", str(error.detail), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


def _unknown(request: Request, error: Exception) -> JSONResponse:
    return problem(
        500,
        "defect",
        "The service has a defect",
        f"{request.method} {request.url.path} failed: {type(error).__name__}.",
        "Report it with the service's log of this moment.",
    )
