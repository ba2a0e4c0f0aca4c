"""The records: every inspection, its verdicts and who changed them. All queries live here."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select, text, tuple_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, selectinload

from api.database import open_database
from api.orm import Audit, Event, EvidenceFile, GradeCount, Inspection, Panel, Verdict
from evidence.reports import SCHEMA_VERSION, report_from_json, report_to_json
from grading.values import GradeReport, Outcome
from station.ports import RecorderUnavailable, RecordRefused, VisitEvent

PAGE = 50


class NotFound(LookupError):
    """There is no such record."""


class Conflict(Exception):
    """The record was changed since it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list of inspections is narrowed to; None does not narrow."""

    verdict: Outcome | None = None
    grade: str | None = None
    maker: str | None = None
    lot: str | None = None
    panel_id: str | None = None  # the beginning of one
    measured_from: str | None = None  # ISO 8601
    measured_to: str | None = None


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
class InspectionRecord:
    """All that is recorded of one inspection. ``version`` grows with every verdict."""

    report: GradeReport
    verdicts: tuple[VerdictView, ...]
    history: tuple[VisitEvent, ...]
    recorded_at: str
    version: int

    @property
    def current(self) -> VerdictView:
        """The verdict that stands."""
        return self.verdicts[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many inspections stand at a verdict and grade."""

    verdict: Outcome
    grade: str | None
    count: int


class Records:
    """The records service's store; implements ``station.ports.Recorder``."""

    def __init__(self, database_url: str) -> None:
        self._engine = open_database(database_url)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    # --- writing -------------------------------------------------------------------------------

    def record(self, report: GradeReport, history: tuple[VisitEvent, ...]) -> None:
        """Store a report for good. The same report again changes nothing.

        Raises:
            RecorderUnavailable: the database cannot be reached, or is busy; try again.
            RecordRefused: another report goes by this inspection's id, or it does not fit.
        """
        try:
            with self._session() as session:
                known = session.get(Inspection, report.inspection_id)
                if known is None:
                    self._insert(session, report, history)
                elif _first_report(known) != report_to_json(report):
                    raise RecordRefused(
                        f"{report.inspection_id} is recorded already, with another report."
                    )
        except OperationalError as error:
            raise RecorderUnavailable(str(error.orig)) from error
        except IntegrityError as error:
            raise RecorderUnavailable(f"two records at once: {error.orig}") from error
        except DataError as error:
            raise RecordRefused(str(error.orig)) from error

    def override(
        self,
        inspection_id: str,
        *,
        outcome: Outcome,
        grade: str | None,
        destination: str,
        by: str,
        reason: str,
        version: int,
    ) -> InspectionRecord:
        """Put a person's verdict beside the others; it stands from now on.

        Raises:
            NotFound: no such inspection.
            Conflict: it has had another verdict since ``version`` was read.
        """
        with self._session() as session:
            row = session.get(Inspection, inspection_id, with_for_update=True)
            if row is None:
                raise NotFound(f"There is no inspection {inspection_id}.")
            if row.version != version:
                raise Conflict(f"{inspection_id} has had another verdict in the meantime.")
            _count(session, row.verdict, row.grade, -1)
            row.verdict, row.grade, row.destination = outcome.value, grade, destination
            row.version += 1
            _count(session, row.verdict, row.grade, +1)
            row.verdicts.append(
                Verdict(
                    outcome=outcome.value,
                    grade=grade,
                    destination=destination,
                    source="override",
                    by=by,
                    reason=reason,
                    created_at=_now(),
                )
            )
            session.add(Audit(at=_now(), by=by, action="override", subject=inspection_id))
            session.flush()
            return _record(row)

    def note(self, by: str, action: str, subject: str | None = None, detail: str = "") -> None:
        """Write down who did what."""
        with self._session() as session:
            session.add(Audit(at=_now(), by=by, action=action, subject=subject, detail=detail))

    def add_event(self, inspection_id: str, phase: str, detail: str) -> None:
        """Add a step to a recorded visit; nothing where it is not recorded yet."""
        with self._session() as session:
            if session.get(Inspection, inspection_id) is not None:
                event = VisitEvent(phase=phase, at=_now(), detail=detail)
                session.add(_event(inspection_id, event))

    # --- reading -------------------------------------------------------------------------------

    def inspection(self, inspection_id: str) -> InspectionRecord:
        """Return all that is recorded of an inspection; raises NotFound."""
        with self._session() as session:
            row = session.get(
                Inspection,
                inspection_id,
                options=[selectinload(Inspection.verdicts), selectinload(Inspection.events)],
            )
            if row is None:
                raise NotFound(f"There is no inspection {inspection_id}.")
            return _record(row)

    def page(self, filters: Filters, cursor: str | None = None, limit: int = PAGE) -> Page:
        """Return inspections, newest first; raises ValueError for a cursor that is not ours."""
        query = _narrowed(select(Inspection), filters)
        order = (Inspection.measured_at, Inspection.inspection_id)
        if cursor is not None:
            query = query.where(tuple_(*order) < tuple_(*_decode(cursor)))
        query = query.order_by(*(column.desc() for column in order)).limit(limit + 1)
        with self._session() as session:
            rows = [_row(row) for row in session.scalars(query)]
        more = len(rows) > limit
        items = tuple(rows[:limit])
        return Page(items=items, next_cursor=_encode(items[-1]) if more else None)

    def latest(self) -> str | None:
        """Return the id of the inspection that was recorded last."""
        query = select(Inspection.inspection_id).order_by(
            Inspection.measured_at.desc(), Inspection.inspection_id.desc()
        )
        with self._session() as session:
            return session.scalars(query.limit(1)).first()

    def counts(self) -> tuple[Count, ...]:
        """Return how many inspections stand at each verdict and grade."""
        with self._session() as session:
            query = select(GradeCount).where(GradeCount.count > 0)
            return tuple(
                Count(verdict=Outcome(row.verdict), grade=row.grade or None, count=row.count)
                for row in session.scalars(query.order_by(GradeCount.verdict, GradeCount.grade))
            )

    def healthy(self) -> bool:
        """Whether the database answers."""
        try:
            with self._session() as session:
                session.execute(text("SELECT 1"))
        except OperationalError:
            return False
        return True

    # --- small print ---------------------------------------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    def _insert(
        self, session: Session, report: GradeReport, history: tuple[VisitEvent, ...]
    ) -> None:
        panel, plate = report.panel, report.panel.nameplate
        session.merge(
            Panel(
                panel_id=panel.panel_id, serial=panel.serial, maker=plate.maker, model=plate.model
            )
        )
        session.flush()
        now = _now()
        stc = report.iv.stc if report.iv else None
        row = Inspection(
            inspection_id=report.inspection_id,
            panel_id=panel.panel_id,
            measured_at=report.measured_at or now,
            recorded_at=now,
            maker=plate.maker,
            model=plate.model,
            lot=panel.lot,
            verdict=report.verdict.value,
            grade=report.grade,
            destination=report.destination,
            p_mp=stc.p_mp if stc else None,
            nameplate_ratio=report.value.nameplate_ratio if report.value else None,
            rules=f"{report.rules.name} {report.rules.version}",
            software=report.software_version,
        )
        row.verdicts.append(
            Verdict(
                outcome=row.verdict,
                grade=row.grade,
                destination=row.destination,
                source="graded",
                created_at=now,
                schema=SCHEMA_VERSION,
                report=report_to_json(report),
            )
        )
        session.add(row)
        session.flush()
        session.add_all(_event(report.inspection_id, event) for event in history)
        session.add_all(
            EvidenceFile(
                inspection_id=report.inspection_id, name=f.name, sha256=f.sha256, size=f.size
            )
            for f in report.evidence
        )
        _count(session, row.verdict, row.grade, +1)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _event(inspection_id: str, event: VisitEvent) -> Event:
    return Event(inspection_id=inspection_id, phase=event.phase, at=event.at, detail=event.detail)


def _count(session: Session, verdict: str, grade: str | None, change: int) -> None:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    added = dialect.insert(GradeCount).values(verdict=verdict, grade=grade or "", count=change)
    session.execute(
        added.on_conflict_do_update(
            index_elements=["verdict", "grade"], set_={"count": GradeCount.count + change}
        )
    )


def _first_report(row: Inspection) -> dict[str, Any] | None:
    return row.verdicts[0].report


def _record(row: Inspection) -> InspectionRecord:
    reports = [verdict.report for verdict in row.verdicts if verdict.report is not None]
    last = len(row.verdicts) - 1
    return InspectionRecord(
        report=report_from_json(reports[-1]),
        verdicts=tuple(
            VerdictView(
                outcome=Outcome(verdict.outcome),
                grade=verdict.grade,
                destination=verdict.destination,
                source=verdict.source,
                by=verdict.by,
                reason=verdict.reason,
                created_at=verdict.created_at,
                current=index == last,
            )
            for index, verdict in enumerate(row.verdicts)
        ),
        history=tuple(VisitEvent(phase=e.phase, at=e.at, detail=e.detail) for e in row.events),
        recorded_at=row.recorded_at,
        version=row.version,
    )


def _row(row: Inspection) -> InspectionRow:
    values = {name: getattr(row, name) for name in InspectionRow.__slots__}
    return replace(InspectionRow(**values), verdict=Outcome(row.verdict))


def _narrowed(query: Select[Inspection], filters: Filters) -> Select[Inspection]:
    exact = {
        Inspection.verdict: filters.verdict.value if filters.verdict else None,
        Inspection.grade: filters.grade,
        Inspection.maker: filters.maker,
        Inspection.lot: filters.lot,
    }
    query = query.where(*(column == value for column, value in exact.items() if value is not None))
    if filters.panel_id is not None:
        end = filters.panel_id + "\U0010ffff"
        query = query.where(Inspection.panel_id >= filters.panel_id, Inspection.panel_id < end)
    if filters.measured_from is not None:
        query = query.where(Inspection.measured_at >= filters.measured_from)
    if filters.measured_to is not None:
        query = query.where(Inspection.measured_at < filters.measured_to)
    return query


def _encode(row: InspectionRow) -> str:
    key = json.dumps([row.measured_at, row.inspection_id])
    return base64.urlsafe_b64encode(key.encode()).decode()


def _decode(cursor: str) -> tuple[str, str]:
    try:
        measured_at, inspection_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except (ValueError, TypeError) as error:
        raise ValueError("The cursor is not one that this service gave.") from error
    return str(measured_at), str(inspection_id)
