"""The records service's store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Engine, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, selectinload

from api.database import open_database, writing
from api.orm import GradeCount, Inspection, IntakeKey, RouteConfirmation, Verdict
from api.records import trail
from api.records.mapping import inspection_row, panel_row, to_record, to_row
from api.records.queries import PAGE, cursor_after, page_query, powers_of_model
from api.records.values import (
    Conflict,
    Count,
    Filters,
    InspectionRecord,
    KeyReused,
    NotFound,
    Page,
    Typical,
)
from evidence.reports import report_to_json
from grading.values import GradeReport, Outcome, RuleSource
from station.ports import RecorderUnavailable, RecordRefused, VisitEvent

RULES = "rules in use"
LEARNT_FROM = 1000  # newest inspections of a model
LEAST_LEARNT = 5  # panels


class Records:
    """Every inspection and its verdicts; implements ``station.ports.Recorder``."""

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
            try:
                self._record_once(report, history)
            except IntegrityError:  # another brought the same panel or report at this moment
                self._record_once(report, history)
        except (DataError, IntegrityError, ValueError) as error:
            raise RecordRefused(f"{report.inspection_id} does not fit: {error}") from error
        except (DBAPIError, PoolTimeout) as error:
            raise RecorderUnavailable(str(error)) from error

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
        with self._writing() as session:
            row = session.get(Inspection, inspection_id, with_for_update=True)
            if row is None:
                raise NotFound(f"There is no inspection {inspection_id}.")
            if row.version != version:
                raise Conflict(f"{inspection_id} has had another verdict in the meantime.")
            moved = Counter({standing_of(row): -1})
            row.verdict, row.grade, row.destination = outcome.value, grade, destination
            row.version += 1
            moved[standing_of(row)] += 1
            count_moves(session, moved)
            for verdict in row.verdicts:
                verdict.current = False
            session.flush()
            verdict = Verdict(
                outcome=outcome.value,
                grade=grade,
                destination=destination,
                source="override",
                by=by,
                reason=reason,
                created_at=_now(),
            )
            row.verdicts.append(verdict)
            trail.append_verdict(session, verdict)
            return to_record(row)

    def confirm_route(self, inspection_id: str, by: str) -> None:
        """Write down who took a panel to its destination; the first one stands."""
        with self._writing() as session:
            if session.get(RouteConfirmation, inspection_id) is None:
                session.add(RouteConfirmation(inspection_id=inspection_id, by=by, at=_now()))

    def note(self, by: str, action: str, subject: str | None = None, detail: str = "") -> None:
        """Write down who did what."""
        with self._writing() as session:
            trail.append(session, at=_now(), by=by, action=action, subject=subject, detail=detail)

    def note_rules(self, rules: RuleSource) -> None:
        """Write down which rules are in use from now on, where they are not those of before."""
        subject = f"{rules.name} {rules.version}"
        with self._writing() as session:
            if trail.last(session, RULES) != (subject, rules.sha256):
                trail.append(
                    session,
                    at=_now(),
                    by=trail.STATION,
                    action=RULES,
                    subject=subject,
                    detail=rules.sha256,
                )

    def keep_intake(self, key: str, request: str, inspection_id: str) -> None:
        """Keep what an intake under an idempotency key began."""
        with self._writing() as session:
            session.merge(
                IntakeKey(key=key, request=request, inspection_id=inspection_id, at=_now())
            )

    # --- reading -------------------------------------------------------------------------------

    def intake(self, key: str, request: str) -> str | None:
        """Return the inspection that an idempotency key began, None for a new key.

        Raises:
            KeyReused: the key came with another request.
        """
        with self._reading() as session:
            kept = session.get(IntakeKey, key)
            if kept is not None and kept.request != request:
                raise KeyReused(f"The key {key} was used for another panel.")
            return kept.inspection_id if kept else None

    def inspection(self, inspection_id: str) -> InspectionRecord:
        """Return all that is recorded of an inspection; raises NotFound."""
        related = (Inspection.verdicts, Inspection.events, Inspection.routed)
        with self._reading() as session:
            row = session.get(
                Inspection, inspection_id, options=[selectinload(each) for each in related]
            )
            if row is None:
                raise NotFound(f"There is no inspection {inspection_id}.")
            return to_record(row)

    def page(self, filters: Filters, cursor: str | None = None, limit: int = PAGE) -> Page:
        """Return inspections, newest first.

        Raises:
            ValueError: a cursor that is not ours, or a moment that is none.
        """
        query = page_query(self._engine.dialect.name, filters, cursor, limit + 1)
        with self._reading() as session:
            rows = [to_row(row) for row in session.scalars(query)]
        more = len(rows) > limit
        items = tuple(rows[:limit])
        return Page(items=items, next_cursor=cursor_after(items[-1]) if more else None)

    def number_of(self, filters: Filters) -> int:
        """Return how many inspections fit; raises ValueError for a moment that is none."""
        query = page_query(self._engine.dialect.name, filters, None, None)
        with self._reading() as session:
            count = select(func.count()).select_from(query.order_by(None).subquery())
            return int(session.scalars(count).one())

    def typical(self, maker: str, model: str) -> Typical | None:
        """Return what a model's panels were worth so far; None below five panels."""
        with self._reading() as session:
            rows = session.execute(powers_of_model(maker, model, LEARNT_FROM)).all()
        newest: dict[str, float] = {}
        for panel_id, p_mp in rows:
            if p_mp is not None:
                newest.setdefault(panel_id, p_mp)
        if len(newest) < LEAST_LEARNT:
            return None
        low, middle, high = np.quantile(list(newest.values()), (0.05, 0.5, 0.95)).tolist()
        return Typical(panels=len(newest), p_mp=middle, low=low, high=high)

    def latest(self) -> str | None:
        """Return the id of the inspection that was measured last."""
        page = self.page(Filters(), limit=1)
        return page.items[0].inspection_id if page.items else None

    def counts(self) -> tuple[Count, ...]:
        """Return how many inspections of each maker stand at each verdict and grade."""
        key = (GradeCount.verdict, GradeCount.grade, GradeCount.maker)
        with self._reading() as session:
            query = select(GradeCount).where(GradeCount.count > 0).order_by(*key)
            return tuple(
                Count(
                    verdict=Outcome(row.verdict),
                    grade=row.grade or None,
                    maker=row.maker or None,
                    count=row.count,
                )
                for row in session.scalars(query)
            )

    @property
    def engine(self) -> Engine:
        """The database, for what works through all of it."""
        return self._engine

    def trail_faults(self) -> tuple[list[str], str]:
        """Return what was tampered with, in words, and the head of the audit trail."""
        with self._reading() as session:
            return list(trail.faults(session)), trail.head(session)

    def healthy(self) -> bool:
        """Whether the database answers."""
        try:
            with self._reading() as session:
                session.execute(text("SELECT 1"))
        except OperationalError:
            return False
        return True

    # --- small print ---------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with Session(writing(self._engine)) as session, session.begin():
            yield session

    def _record_once(self, report: GradeReport, history: tuple[VisitEvent, ...]) -> None:
        with self._writing() as session:
            known = session.get(Inspection, report.inspection_id)
            if known is None:
                session.merge(panel_row(report))
                session.flush()
                row = inspection_row(report, history, _now())
                session.add(row)
                session.flush()
                count_moves(session, Counter({standing_of(row): +1}))
                trail.append_verdict(session, row.verdicts[0])
            elif known.verdicts[0].report != report_to_json(report):
                raise RecordRefused(
                    f"{report.inspection_id} is recorded already, with another report."
                )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def standing_of(row: Inspection) -> tuple[str, str, str]:
    """Return where an inspection is counted: verdict, grade, maker."""
    return row.verdict, row.grade or "", row.maker or ""


def count_moves(session: Session, changes: Counter[tuple[str, str, str]]) -> None:
    """Change counts, in one order everywhere, so that no two transactions wait for each other."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    for (verdict, grade, maker), change in sorted(changes.items()):
        added = dialect.insert(GradeCount).values(
            verdict=verdict, grade=grade, maker=maker, count=change
        )
        session.execute(
            added.on_conflict_do_update(
                index_elements=["verdict", "grade", "maker"],
                set_={"count": GradeCount.count + change},
            )
        )
