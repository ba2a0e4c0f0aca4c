"""What re-grading needs of the records: the reports that stand, and new verdicts beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from api.database import writing
from api.orm import Inspection, Reason, Verdict
from api.records import trail
from api.records.mapping import graded, to_row
from api.records.queries import cursor_after, page_query
from api.records.store import count_moves, standing_of
from api.records.values import Filters
from evidence.reports import report_from_json
from grading.values import GradeReport

SOURCE = "regrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The report that an inspection's verdict stands on.

    ``overridden``: a person decided otherwise. ``version`` grows with every verdict.
    """

    report: GradeReport
    overridden: bool
    version: int


def standing_reports(engine: Engine, filters: Filters, batch: int) -> Iterator[list[Standing]]:
    """Yield the standing reports of the inspections that fit, newest first, in batches."""
    cursor = None
    while True:
        with Session(engine) as session, session.begin():
            query = page_query(engine.dialect.name, filters, cursor, batch)
            rows = list(session.scalars(query))
            found = _standing(session, rows)
            cursor = cursor_after(to_row(rows[-1])) if len(rows) == batch else None
        yield found
        if cursor is None:
            return


def _standing(session: Session, rows: Sequence[Inspection]) -> list[Standing]:
    names = [row.inspection_id for row in rows]
    query = select(Verdict).where(Verdict.inspection_id.in_(names)).order_by(Verdict.verdict_id)
    verdicts: dict[str, list[Verdict]] = {name: [] for name in names}
    for verdict in session.scalars(query):
        verdicts[verdict.inspection_id].append(verdict)
    return [_standing_of(row, verdicts[row.inspection_id]) for row in rows]


def _standing_of(row: Inspection, verdicts: list[Verdict]) -> Standing:
    current = next(index for index, verdict in enumerate(verdicts) if verdict.current)
    reports = (verdict.report for verdict in reversed(verdicts[: current + 1]))
    return Standing(
        report=report_from_json(next(report for report in reports if report is not None)),
        overridden=verdicts[current].source == "override",
        version=row.version,
    )


def add_regraded(
    engine: Engine, run: str, reports: Sequence[tuple[GradeReport, int]], now: str
) -> list[str]:
    """Put new verdicts beside the old ones, all in one transaction.

    Args:
        engine: the database.
        run: name of the re-grading; where it was the last one, its verdict is not given again.
        reports: each with the version of the inspection that it was judged from.
        now: the moment, ISO 8601 UTC.

    Returns:
        The inspections that had another verdict meanwhile, and were left alone.
    """
    left = []
    moved: Counter[tuple[str, str, str]] = Counter()
    with Session(writing(engine)) as session, session.begin():
        for report, version in sorted(reports, key=lambda pair: pair[0].inspection_id):
            row = session.get(Inspection, report.inspection_id, with_for_update=True)
            if row is None or _last_run(session, report.inspection_id) == run:
                continue
            if row.version != version:
                left.append(report.inspection_id)
                continue
            _add(session, row, report, run, now, moved)
        count_moves(session, moved)
    return left


def _last_run(session: Session, inspection_id: str) -> str | None:
    """The last only: the same criteria may come back after others."""
    query = select(Verdict.by).where(
        Verdict.inspection_id == inspection_id, Verdict.source == SOURCE
    )
    return session.scalars(query.order_by(Verdict.verdict_id.desc()).limit(1)).first()


def _add(
    session: Session,
    row: Inspection,
    report: GradeReport,
    run: str,
    now: str,
    moved: Counter[tuple[str, str, str]],
) -> None:
    """A person's verdict stays the current one; the new one then waits beside it."""
    of_inspection = Verdict.inspection_id == row.inspection_id
    person = session.scalars(select(Verdict).where(of_inspection, Verdict.current)).one()
    stays = person.source == "override"
    new = graded(report, now)
    new.inspection_id, new.source, new.by, new.current = row.inspection_id, SOURCE, run, not stays
    if not stays:
        session.execute(update(Verdict).where(of_inspection, Verdict.current).values(current=False))
        moved[standing_of(row)] -= 1
        row.verdict, row.grade = report.verdict.value, report.grade
        row.destination = report.destination
        row.p_mp, row.nameplate_ratio = new.p_mp, new.nameplate_ratio
        row.rules, row.software = str(new.rules), str(new.software)
        moved[standing_of(row)] += 1
        session.execute(delete(Reason).where(Reason.inspection_id == row.inspection_id))
        session.add_all(
            Reason(code=code, measured_at=row.measured_at, inspection_id=row.inspection_id)
            for code in sorted(set(report.reasons))
        )
    row.version += 1
    session.add(new)
    trail.append_verdict(session, new)
