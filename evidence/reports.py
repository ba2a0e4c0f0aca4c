"""Grade reports as JSON: the one form in which they are stored, sent and published.

JSON knows no infinity and no NaN: an infinite shunt resistance is ``null`` and comes back as
infinity; every other field that may be ``null`` is one that was not measured.
"""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from evidence.errors import EvidenceError
from grading.values import GradeReport

SCHEMA_VERSION = 1
_REPORT = TypeAdapter(GradeReport)


def to_json(value: Any) -> Any:
    """Return any of the house's frozen values as plain JSON types."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def report_to_json(report: GradeReport) -> dict[str, Any]:
    """Return a report as plain JSON types, with the version of its form."""
    return {"schema": SCHEMA_VERSION, **to_json(report)}


def report_from_json(document: dict[str, Any]) -> GradeReport:
    """Return the report that ``report_to_json`` made ``document`` of.

    Raises:
        EvidenceError: another schema, or not a report.
    """
    body = dict(document)
    schema = body.pop("schema", None)
    if schema != SCHEMA_VERSION:
        raise EvidenceError(
            "schema",
            f"The report has the schema version {schema}; this software reads {SCHEMA_VERSION}.",
            "Use the software version that the report names.",
        )
    try:
        model = (body.get("iv") or {}).get("model")
        if model:
            body["iv"] = {**body["iv"], "model": _restore_model(model)}
        return _REPORT.validate_python(body)
    except (ValidationError, AttributeError, TypeError) as error:
        raise EvidenceError(
            "not_a_report", f"The document is not a grade report: {error}.", "Grade it again."
        ) from error


def _restore_model(model: dict[str, Any]) -> dict[str, Any]:
    restored = dict(model)
    if restored.get("resistance_shunt") is None:
        restored["resistance_shunt"] = math.inf
    return restored
