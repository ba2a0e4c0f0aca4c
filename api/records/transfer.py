"""All records from one database to another, of either kind, and proof that they are the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, Row, Table, func, insert, select

from api.database import writing
from api.orm import Base

BATCH = 1000


class TargetNotEmpty(Exception):
    """Records are never mixed with other records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDigest:
    """How many rows a table has, and a digest of them that does not depend on their order."""

    rows: int
    digest: str


def copy_records(
    source: Engine, target: Engine, progress: Callable[[int], None] = lambda _: None
) -> dict[str, TableDigest]:
    """Copy every table in one snapshot of the source, while others go on writing to it.

    Args:
        source: where the records are.
        target: an empty database of the same schema; nothing is in it where this fails.
        progress: told how many rows were copied at each step.

    Returns:
        The digest of what was read, by table.

    Raises:
        TargetNotEmpty: the target holds records.
    """
    found = {}
    with _snapshot(source) as reading, writing(target).begin() as storing:
        for table in Base.metadata.sorted_tables:
            if storing.execute(select(func.count()).select_from(table)).scalar_one():
                raise TargetNotEmpty(f"The table {table.name} holds records already.")
            total = _Digest()
            for rows in _batches(reading, table):
                total.add(rows)
                storing.execute(insert(table), [dict(row._mapping) for row in rows])  # noqa: SLF001
                progress(len(rows))
            found[table.name] = total.value
            _go_on_counting(storing, table)
    return found


def digests(engine: Engine) -> dict[str, TableDigest]:
    """Return the digest of every table, in one snapshot."""
    found = {}
    with _snapshot(engine) as reading:
        for table in Base.metadata.sorted_tables:
            total = _Digest()
            for rows in _batches(reading, table):
                total.add(rows)
            found[table.name] = total.value
    return found


class _Digest:
    """The sum of the hashes of rows: two databases need not agree on the order of texts."""

    def __init__(self) -> None:
        self._rows, self._sum = 0, 0

    def add(self, rows: list[Row[tuple[object, ...]]]) -> None:
        for row in rows:
            digest = hashlib.sha256(repr(tuple(row)).encode()).digest()
            self._sum = (self._sum + int.from_bytes(digest)) % 2**256
        self._rows += len(rows)

    @property
    def value(self) -> TableDigest:
        return TableDigest(rows=self._rows, digest=f"{self._sum:064x}")


def _snapshot(engine: Engine) -> Connection:
    """Return a connection that sees one moment; SQLite's transactions do by themselves."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    return engine.connect()


def _batches(connection: Connection, table: Table) -> Iterator[list[Row[tuple[object, ...]]]]:
    result = connection.execution_options(yield_per=BATCH).execute(select(table))
    for rows in result.partitions():
        yield list(rows)


def _go_on_counting(connection: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after those that were copied; SQLite does by itself."""
    key = table.autoincrement_column
    if key is None or connection.dialect.name != "postgresql":
        return
    sequence = func.pg_get_serial_sequence(table.name, key.name)
    highest = select(func.max(key)).scalar_subquery()
    connection.execute(select(func.setval(sequence, highest)).where(highest.is_not(None)))
