"""Pages of inspections: filters, and a place to go on from (keyset), each with its index."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select, tuple_

from api.orm import Inspection, Reason
from api.records.values import Filters, InspectionRow

PAGE = 50


def utc(moment: str) -> str:
    """Return an ISO 8601 moment in the one form whose order is that of time.

    Raises:
        ValueError: not a moment.
    """
    try:
        read = datetime.fromisoformat(moment)
        zoned = read if read.tzinfo else read.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{moment} is not a moment (ISO 8601).") from error


def page_query(
    dialect: str, filters: Filters, cursor: str | None, limit: int | None
) -> Select[Any]:
    """Return the query of a page, newest first; raises ValueError for a moment or cursor."""
    query: Select[Any] = select(Inspection)
    place = (Inspection.measured_at, Inspection.inspection_id)
    if filters.reason is not None:
        query = query.join(Reason, Reason.inspection_id == Inspection.inspection_id)
        query = query.where(Reason.code == filters.reason)
        place = (Reason.measured_at, Reason.inspection_id)
    query = _narrowed(query, filters, place[0])
    if filters.panel_id is not None:
        query = query.where(_begins(dialect, filters.panel_id))
    if cursor is not None:
        query = query.where(tuple_(*place) < tuple_(*_decode(cursor)))
    return query.order_by(*(column.desc() for column in place)).limit(limit)


def powers_of_model(maker: str, model: str, most: int) -> Select[str, float | None]:
    """Return the query of panel and power of a model's newest measured inspections."""
    return (
        select(Inspection.panel_id, Inspection.p_mp)
        .where(Inspection.model == model, Inspection.maker == maker, Inspection.p_mp.is_not(None))
        .order_by(Inspection.measured_at.desc(), Inspection.inspection_id.desc())
        .limit(most)
    )


def cursor_after(row: InspectionRow) -> str:
    """Return the opaque cursor that leads on from ``row``."""
    key = json.dumps([row.measured_at, row.inspection_id])
    return base64.urlsafe_b64encode(key.encode()).decode()


def _narrowed(query: Select[Any], filters: Filters, measured_at: Any) -> Select[Any]:
    exact = {
        Inspection.verdict: filters.verdict.value if filters.verdict else None,
        Inspection.grade: filters.grade,
        Inspection.maker: filters.maker,
        Inspection.model: filters.model,
        Inspection.lot: filters.lot,
        Inspection.panel_id: filters.panel,
    }
    query = query.where(*(column == value for column, value in exact.items() if value is not None))
    if filters.measured_from is not None:
        query = query.where(measured_at >= utc(filters.measured_from))
    if filters.measured_to is not None:
        query = query.where(measured_at < utc(filters.measured_to))
    return query


def _begins(dialect: str, prefix: str) -> ColumnElement[bool]:
    """Each database uses its index for one of the two ways to say it."""
    if dialect == "sqlite":  # compares by code point; its LIKE would ignore case
        return and_(Inspection.panel_id >= prefix, Inspection.panel_id < prefix + "\U0010ffff")
    return Inspection.panel_id.startswith(prefix, autoescape=True)


def _decode(cursor: str) -> tuple[str, str]:
    try:
        measured_at, inspection_id = json.loads(base64.b64decode(cursor, b"-_", validate=True))
        return utc(measured_at), str(inspection_id).replace("\0", "")
    except (ValueError, TypeError) as error:
        raise ValueError("The cursor is not one that this service gave.") from error
