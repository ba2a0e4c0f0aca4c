"""Every error as a problem document (RFC 9457), made in one place."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from api.records import Conflict, NotFound
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


# Which status an error of the house has, and what it is called.
KNOWN: dict[type[Exception], tuple[int, str, str]] = {
    NotFound: (404, "not_found", "There is no such record"),
    Conflict: (412, "conflict", "The record was changed in the meantime"),
    CommandRefused: (409, "refused", "The line cannot do that now"),
    RecordRefused: (409, "record_refused", "The record cannot be taken"),
    RecorderUnavailable: (503, "unavailable", "The records cannot be reached"),
    OperationalError: (503, "unavailable", "The database cannot be reached"),
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
RESPONSES: dict[int | str, dict[str, Any]] = dict.fromkeys((404, 409, 412, 422, 428, 503), SCHEMA)


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
    for kind in KNOWN:
        app.add_exception_handler(kind, _known)


def _own(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem(error.status, error.code, error.title, error.detail, error.remedy)


def _known(_: Request, error: Exception) -> JSONResponse:
    status, code, title = next(v for kind, v in KNOWN.items() if isinstance(error, kind))
    return problem(status, code, title, str(error))


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
    return problem(error.status_code, "http", str(error.detail), str(error.detail))
