"""The audit trail: who did what, each entry sealed with the one before it.

The digest of an entry is the SHA-256 of the digest before it and of what the entry says, so that
no entry can be changed, taken out or put in between without breaking every later one. Every
verdict that is stored has an entry with the digest of its row. What a trail cannot show is that
its end was cut off: its head is printed by ``zonkeur verify`` and kept in each backup.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from api.orm import Audit, Inspection, Verdict

GENESIS = "0" * 64
VERDICT = "verdict"
STATION = "station"
BATCH = 1000
_LOCK = 712_027  # of PostgreSQL: one writer at a time; SQLite has but one

# The form of entries and rows is part of the trail: it never changes.
ENTRY = ("at", "by", "action", "subject", "detail")
ROW = (
    *("inspection_id", "outcome", "grade", "destination", "source"),
    *("by", "reason", "created_at", "schema", "report"),
)


def append(
    session: Session, *, at: str, by: str, action: str, subject: str | None, detail: str | None
) -> None:
    """Add an entry at the end of the trail; it stands once the transaction is committed."""
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    last = session.scalars(select(Audit).order_by(Audit.audit_id.desc()).limit(1)).first()
    entry = Audit(at=at, by=by, action=action, subject=subject, detail=detail)
    entry.digest = link(last.digest if last else GENESIS, _says(entry, ENTRY))
    session.add(entry)
    session.flush()


def append_verdict(session: Session, verdict: Verdict) -> None:
    """Add the entry of a verdict that has just been stored."""
    session.flush()
    append(
        session,
        at=verdict.created_at,
        by=verdict.by or STATION,
        action=VERDICT,
        subject=verdict.inspection_id,
        detail=f"{verdict.verdict_id} {row_digest(_says(verdict, ROW))}",
    )


def last(session: Session, action: str) -> tuple[str | None, str | None] | None:
    """Return subject and detail of the last entry of an action; None where there is none."""
    query = select(Audit).where(Audit.action == action).order_by(Audit.audit_id.desc()).limit(1)
    entry = session.scalars(query).first()
    return None if entry is None else (entry.subject, entry.detail)


def link(before: str, says: Mapping[str, Any]) -> str:
    """Return the digest of an entry that follows ``before``."""
    return hashlib.sha256(f"{before}\n{_canonical(says)}".encode()).hexdigest()


def row_digest(says: Mapping[str, Any]) -> str:
    """Return the digest of a verdict's row."""
    return hashlib.sha256(_canonical(says).encode()).hexdigest()


def head(session: Session) -> str:
    """Return the digest of the last entry."""
    query = select(Audit.digest).order_by(Audit.audit_id.desc()).limit(1)
    return session.scalars(query).first() or GENESIS


def faults(session: Session) -> Iterator[str]:
    """Yield, in words, what in the trail or in the verdicts is not what was written."""
    before = GENESIS
    known: dict[int, str] = {}
    entries = session.scalars(
        select(Audit).order_by(Audit.audit_id).execution_options(yield_per=BATCH)
    )
    for entry in entries:
        if entry.digest != link(before, _says(entry, ENTRY)):
            yield (
                f"entry {entry.audit_id} of the audit trail ({entry.action} by {entry.by} at "
                f"{entry.at}) was changed, or entries before it were taken out"
            )
        before = entry.digest
        if entry.action == VERDICT:
            verdict_id, _, digest = (entry.detail or "").partition(" ")
            known[int(verdict_id)] = digest
    yield from _verdict_faults(session, known)
    yield from _standing_faults(session)


def _verdict_faults(session: Session, known: dict[int, str]) -> Iterator[str]:
    query = select(Verdict).order_by(Verdict.verdict_id).execution_options(yield_per=BATCH)
    for verdict in session.scalars(query):
        named = f"verdict {verdict.verdict_id} on {verdict.inspection_id}"
        digest = known.pop(verdict.verdict_id, None)
        if digest is None:
            yield f"{named} was put in without an entry in the audit trail"
        elif digest != row_digest(_says(verdict, ROW)):
            yield f"{named} was changed after it was given"
    for verdict_id in known:
        yield f"verdict {verdict_id} was taken out"


def _standing_faults(session: Session) -> Iterator[str]:
    """What stands of an inspection must be what its current verdict says."""
    query = (
        select(Inspection.inspection_id)
        .join(Verdict, Verdict.inspection_id == Inspection.inspection_id)
        .where(
            Verdict.current,
            (Verdict.outcome != Inspection.verdict)
            | (Verdict.destination != Inspection.destination)
            | Verdict.grade.is_distinct_from(Inspection.grade),
        )
    )
    for inspection_id in session.scalars(query.execution_options(yield_per=BATCH)):
        yield f"inspection {inspection_id} does not show its current verdict"


def _says(row: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _canonical(says: Mapping[str, Any]) -> str:
    return json.dumps(says, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
