"""What the station must not forget when the power fails: open visits, and the outbox.

One SQLite file, WAL with ``synchronous=FULL``. A visit's end and its record's place in the
outbox are one transaction, so a record is never lost and never doubled.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from station.alarms import AlarmEvent, AlarmState
from station.ports import AlarmChange

_SCHEMA = """
CREATE TABLE IF NOT EXISTS visit (
    inspection_id TEXT PRIMARY KEY, state TEXT NOT NULL, open INTEGER NOT NULL,
    posted INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS visit_open ON visit (open) WHERE open = 1;
CREATE TABLE IF NOT EXISTS outbox (
    inspection_id TEXT PRIMARY KEY, record TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    refused TEXT);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS alarm (
    at TEXT NOT NULL, alarm_id TEXT NOT NULL, code TEXT NOT NULL, device TEXT NOT NULL,
    event TEXT NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, detail TEXT NOT NULL,
    first_out INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS alarm_at ON alarm (at);
CREATE TRIGGER IF NOT EXISTS alarm_kept BEFORE UPDATE ON alarm
    BEGIN SELECT RAISE(ABORT, 'what happened to an alarm stays as it was'); END;
CREATE TRIGGER IF NOT EXISTS alarm_stays BEFORE DELETE ON alarm
    BEGIN SELECT RAISE(ABORT, 'what happened to an alarm stays'); END;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxEntry:
    """A record that the service has not acknowledged yet."""

    inspection_id: str
    record: dict[str, Any]
    attempts: int


class Journal:
    """The station's durable memory. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def save_visit(self, inspection_id: str, state: dict[str, Any]) -> None:
        """Write the state of an open visit."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO visit (inspection_id, state, open) VALUES (?, ?, 1) "
                "ON CONFLICT (inspection_id) DO UPDATE SET state = excluded.state",
                (inspection_id, json.dumps(state)),
            )

    def open_visits(self) -> list[dict[str, Any]]:
        """Return the states of the visits that were not finished, oldest first."""
        with self._transaction() as database:
            rows = database.execute("SELECT state FROM visit WHERE open = 1 ORDER BY rowid")
            return [json.loads(row[0]) for row in rows]

    def knows(self, inspection_id: str) -> bool:
        """Whether this inspection was ever opened here."""
        with self._transaction() as database:
            query = "SELECT 1 FROM visit WHERE inspection_id = ?"
            return database.execute(query, (inspection_id,)).fetchone() is not None

    def post(self, inspection_id: str, record: dict[str, Any], *, defective: bool) -> None:
        """Put a visit's record into the outbox, once: a second call changes nothing."""
        with self._transaction() as database:
            first = database.execute(
                "UPDATE visit SET posted = 1 WHERE inspection_id = ? AND posted = 0",
                (inspection_id,),
            )
            if not first.rowcount:
                return
            database.execute(
                "INSERT INTO outbox (inspection_id, record) VALUES (?, ?)",
                (inspection_id, json.dumps(record)),
            )
            _count(database, "processed")
            if defective:
                _count(database, "defective")

    def close_visit(self, inspection_id: str) -> None:
        """Mark a visit as finished."""
        with self._transaction() as database:
            database.execute("UPDATE visit SET open = 0 WHERE inspection_id = ?", (inspection_id,))

    def pending(self) -> list[OutboxEntry]:
        """Return the records that wait for an acknowledgement, oldest first."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT inspection_id, record, attempts FROM outbox "
                "WHERE refused IS NULL ORDER BY rowid LIMIT 100"
            )
            return [
                OutboxEntry(inspection_id=name, record=json.loads(record), attempts=attempts)
                for name, record, attempts in rows
            ]

    def acknowledge(self, inspection_id: str) -> None:
        """Delete a record that the service has acknowledged."""
        with self._transaction() as database:
            database.execute("DELETE FROM outbox WHERE inspection_id = ?", (inspection_id,))

    def failed(self, inspection_id: str) -> None:
        """Count a failed attempt to deliver."""
        with self._transaction() as database:
            database.execute(
                "UPDATE outbox SET attempts = attempts + 1 WHERE inspection_id = ?",
                (inspection_id,),
            )

    def quarantine(self, inspection_id: str, reason: str) -> None:
        """Keep a record that the service refuses, with its reason, for a person to look at."""
        with self._transaction() as database:
            database.execute(
                "UPDATE outbox SET refused = ? WHERE inspection_id = ?", (reason, inspection_id)
            )

    def is_pending(self, inspection_id: str) -> bool:
        """Whether a record still waits for its acknowledgement."""
        with self._transaction() as database:
            query = "SELECT 1 FROM outbox WHERE inspection_id = ? AND refused IS NULL"
            return database.execute(query, (inspection_id,)).fetchone() is not None

    def outbox_depth(self) -> int:
        """Return how many records are not acknowledged, refused ones included."""
        with self._transaction() as database:
            return int(database.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def counters(self) -> dict[str, int]:
        """Return the panels processed and defective since the station was set up."""
        with self._transaction() as database:
            return dict(database.execute("SELECT name, value FROM counter").fetchall())

    def keep_alarm(self, change: AlarmChange) -> None:
        """Write down what happened to an alarm."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO alarm VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(change)
            )

    def alarms(self, since: str, until: str) -> list[AlarmChange]:
        """Return what happened to alarms in a time (ISO 8601 UTC), oldest first, 1000 at most."""
        with self._transaction() as database:
            rows = database.execute(
                "SELECT * FROM alarm WHERE at >= ? AND at <= ? ORDER BY rowid LIMIT 1000",
                (since, until),
            ).fetchall()
        return [_alarm_change(*row) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _count(database: sqlite3.Connection, name: str) -> None:
    database.execute(
        "INSERT INTO counter VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1",
        (name,),
    )


def _alarm_change(
    at: str,
    alarm_id: str,
    code: str,
    device: str,
    event: str,
    state: str,
    by: str,
    detail: str,
    first_out: int,
) -> AlarmChange:
    return AlarmChange(
        at=at,
        alarm_id=alarm_id,
        code=code,
        device=device,
        event=AlarmEvent(event),
        state=AlarmState(state),
        by=by,
        detail=detail,
        first_out=bool(first_out),
    )
