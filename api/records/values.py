"""What the records give and take: rows, pages, verdicts, filters."""

from __future__ import annotations

from dataclasses import dataclass

from grading.values import GradeReport, Outcome
from station.ports import VisitEvent


class NotFound(LookupError):
    """There is no such record."""


class Conflict(Exception):
    """The record was changed since it was read."""


class KeyReused(Exception):
    """An idempotency key came back with another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list of inspections is narrowed to; None does not narrow."""

    verdict: Outcome | None = None
    grade: str | None = None
    maker: str | None = None
    model: str | None = None
    lot: str | None = None
    panel_id: str | None = None  # the beginning of one
    panel: str | None = None  # exactly this one
    reason: str | None = None  # a code of the report
    measured_from: str | None = None  # ISO 8601, UTC where it names no zone
    measured_to: str | None = None  # exclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRow:
    """One line of a list of inspections."""

    inspection_id: str
    panel_id: str
    measured_at: str
    maker: str | None
    model: str | None
    lot: str | None
    verdict: Outcome
    grade: str | None
    destination: str
    p_mp: float | None  # W
    nameplate_ratio: float | None
    rules: str
    software: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Typical:
    """What panels of one model turned out to be worth, by the last verdict on each.

    ``low`` and ``high`` hold nine of ten panels between them.
    """

    panels: int
    p_mp: float  # W, median at STC
    low: float  # W, 5th percentile
    high: float  # W, 95th percentile


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some inspections, newest first; ``next_cursor`` leads on, None at the end."""

    items: tuple[InspectionRow, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """One verdict on an inspection; ``source`` is graded, regrade or override."""

    outcome: Outcome
    grade: str | None
    destination: str
    source: str
    by: str | None
    reason: str | None
    created_at: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """Who took the panel to its destination, and when."""

    by: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRecord:
    """All that is recorded of one inspection. ``version`` grows with every verdict."""

    report: GradeReport
    verdicts: tuple[VerdictView, ...]
    history: tuple[VisitEvent, ...]
    routed: Routed | None
    recorded_at: str
    version: int

    @property
    def current(self) -> VerdictView:
        """The verdict that stands."""
        return next(verdict for verdict in self.verdicts if verdict.current)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many inspections of a maker stand at a verdict and grade."""

    verdict: Outcome
    grade: str | None
    maker: str | None
    count: int
