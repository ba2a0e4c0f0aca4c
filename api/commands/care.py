"""``zonkeur backup`` and ``zonkeur restore``: records and evidence, checked as they are copied.

A backup is a folder: ``records.sqlite`` (whatever database the records are in), ``evidence/`` and
``backup.json`` with a digest of the records. Made again into the same folder it copies only the
evidence that is new.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.progress import Progress
from sqlalchemy import Engine

from api.commands.database import database_url
from api.commands.output import BAD_CALL, error_json, finish, print_json, progress_console
from api.database import open_database
from api.records.transfer import TableDigest, TargetNotEmpty, copy_records, digests
from evidence.errors import EvidenceError
from evidence.store import MANIFEST, seal, verify, write_durably

RECORDS, EVIDENCE, HEAD = "records.sqlite", "evidence", "backup.json"


def backup(
    to: Path = typer.Argument(..., help="Folder of the backup; it may hold an earlier one."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Back up records and evidence while the service runs, and read the copy back."""
    to.mkdir(parents=True, exist_ok=True)
    draft = to / f".{RECORDS}.draft"
    draft.unlink(missing_ok=True)
    with _database(database_url(database, data)) as source, _sqlite(draft) as target:
        tables = _copied(source, target)
    draft.replace(to / RECORDS)
    # After the records, so that the evidence of every record in the backup is there.
    entries = _copy_evidence(data / EVIDENCE, to / EVIDENCE)
    head = {
        "made_at": datetime.now(UTC).isoformat(),
        "software": version("zonkeur"),
        "sha256": _sha256(to / RECORDS),
    }
    write_durably(to / HEAD, json.dumps(head, indent=1).encode())
    _report(tables, entries, as_json)


def restore(
    source: Path = typer.Argument(..., metavar="FROM", help="Folder of a backup."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Bring a backup into an empty database, of either kind; the service must not run."""
    if _sha256(source / RECORDS) != _read_head(source):
        _refuse(f"{source / RECORDS} is not what was backed up.", "Take another backup.")
    with tempfile.TemporaryDirectory() as folder:
        # A copy, since opening brings an older backup to the schema of today.
        copy = Path(shutil.copy(source / RECORDS, folder))
        with _sqlite(copy) as kept, _database(database_url(database, data)) as target:
            tables = _copied(kept, target)
    _report(tables, _copy_evidence(source / EVIDENCE, data / EVIDENCE), as_json)


def _copied(source: Engine, target: Engine) -> dict[str, TableDigest]:
    with _progress("records") as advance:
        try:
            tables = copy_records(source, target, advance)
        except TargetNotEmpty as error:
            _refuse(str(error), "Name an empty database.")
    if digests(target) != tables:
        _refuse("The copy differs from what was read.", "Check the disk, and try again.")
    return tables


def _copy_evidence(source: Path, target: Path) -> list[dict[str, Any]]:
    """Copy each sealed folder that is not there yet, whole and checked against its hashes."""
    entries: list[dict[str, Any]] = []
    names = sorted(path.parent.name for path in source.glob(f"*/{MANIFEST}"))
    with _progress("evidence", len(names)) as advance:
        for name in names:
            advance(1)
            if (target / name / MANIFEST).exists():
                continue
            try:
                files = verify(source / name)
                seal(target / name, {f.name: (source / name / f.name).read_bytes() for f in files})
            except EvidenceError as error:
                entries.append({"file": name, "error": error_json(error, name)})
            else:
                entries.append({"file": name, "files": len(files)})
    return entries


def _read_head(folder: Path) -> str:
    try:
        return str(json.loads((folder / HEAD).read_bytes())["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        _refuse(f"{folder} is not a backup: {error}.", f"Name a folder with {HEAD}.")


def _sha256(path: Path) -> str:
    if not path.exists():
        _refuse(f"{path} does not exist.", "Name the folder of a whole backup.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _report(tables: dict[str, TableDigest], entries: list[dict[str, Any]], as_json: bool) -> None:
    damaged = [entry for entry in entries if "error" in entry]
    if as_json:
        rows = {name: table.rows for name, table in tables.items()}
        print_json({"rows": rows, "evidence": entries})
    else:
        for entry in damaged:
            progress_console.print(entry["error"]["detail"], style="red")
        progress_console.print(
            f"{tables['inspection'].rows} inspections, {len(entries) - len(damaged)} folders of "
            f"evidence copied, {len(damaged)} damaged."
        )
    finish(entries)


@contextmanager
def _database(url: str) -> Iterator[Engine]:
    engine = open_database(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _sqlite(path: Path) -> Iterator[Engine]:
    with _database(f"sqlite:///{path.resolve()}") as engine:
        yield engine
        with closing(engine.raw_connection()) as connection:
            # One file, without a log beside it, and nothing of it only in memory.
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.cursor().execute("PRAGMA journal_mode=DELETE")


@contextmanager
def _progress(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    with Progress(console=progress_console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)


def _refuse(detail: str, remedy: str) -> NoReturn:
    progress_console.print(f"{detail} {remedy}", style="red")
    raise typer.Exit(BAD_CALL)
