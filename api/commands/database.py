"""``zonkeur db upgrade`` and ``zonkeur verify``: the records and the evidence behind them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import typer
from rich.progress import track

from api.commands.output import error_json, finish, print_json, progress_console
from evidence.errors import EvidenceError
from evidence.store import MANIFEST
from evidence.store import verify as verify_folder

db = typer.Typer(help="The database of records.", no_args_is_help=True)


def database_url(database: str | None, data: Path) -> str:
    """Return the database's address: the one given, or SQLite in the data folder."""
    if database is not None:
        return database
    data.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{data.resolve() / 'records.sqlite'}"


@db.command("upgrade")
def upgrade(
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Bring the database to the schema of this software."""
    from api.database import open_database

    url = database_url(database, data)
    open_database(url).dispose()
    if as_json:
        print_json({"database": url.rpartition("@")[2], "upgraded": True})


def verify(
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Check all evidence against its hashes, and all verdicts against the audit trail."""
    folders = sorted(path.parent for path in (data / "evidence").glob(f"*/{MANIFEST}"))
    entries: list[dict[str, Any]] = []
    for folder in track(folders, "evidence", console=progress_console, transient=True):
        try:
            files = verify_folder(folder)
        except EvidenceError as error:
            entries.append({"file": folder.name, "error": error_json(error, folder.name)})
        else:
            entries.append({"file": folder.name, "files": len(files)})
    damaged = [entry for entry in entries if "error" in entry]
    trail = _verify_trail(database, data)
    faults = trail["faults"] if trail else []
    if as_json:
        print_json({"checked": len(entries), "evidence": entries, "trail": trail})
    else:
        for entry in damaged:
            progress_console.print(entry["error"]["detail"], style="red")
        for fault in faults:
            progress_console.print(fault, style="red")
        progress_console.print(f"{len(entries)} inspections checked, {len(damaged)} damaged.")
        if trail:
            progress_console.print(f"Audit trail: {len(faults)} faults, head {trail['head']}.")
    finish([*entries, *({"error": fault} for fault in faults)])


def _verify_trail(database: str | None, data: Path) -> dict[str, Any] | None:
    """Return the trail's head and faults; None for a folder that holds evidence alone."""
    from api.records import Records

    if database is None and not (data / "records.sqlite").exists():
        return None
    with closing(Records(database_url(database, data))) as records:
        faults, head = records.trail_faults()
    return {"head": head, "faults": faults}
