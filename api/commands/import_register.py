"""``zonkeur import``: an old register into the records; a dry run unless told otherwise."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import openpyxl
import typer
from rich.progress import track

from api.commands.database import database_url
from api.commands.output import BAD_CALL, NOT_JUDGED, at_the_shell, print_json, progress_console
from api.records import Records
from api.records.register import BadRow, read_register
from grading.values import GradeReport, RuleSource
from station.ports import RecordRefused

Rows = Iterator[tuple[int, Mapping[str, Any]]]
SHOWN = 20  # bad rows on the terminal


def import_register(
    file: Path = typer.Argument(..., help="CSV or XLSX with panel_id, measured_at, verdict, …"),
    apply: bool = typer.Option(False, "--apply", help="Import the rows that are right."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Show what an old register holds and each row that is wrong; ``--apply`` imports the rest.

    The columns are those of ``zonkeur export``, and serial, year, rated_p_mp, i_sc, v_oc, i_mp,
    v_mp.
    """
    try:
        raw = file.read_bytes()
        rows = list(_xlsx(raw) if file.suffix.lower() == ".xlsx" else _csv(raw))
    except (OSError, ValueError, KeyError, csv.Error, BadZipFile) as error:
        progress_console.print(f"{file} cannot be read: {error}", style="red")
        raise typer.Exit(BAD_CALL) from error
    source = RuleSource(name=file.name, version="register", sha256=hashlib.sha256(raw).hexdigest())
    found = list(read_register(rows, source))
    bad = [row for row in found if isinstance(row, BadRow)]
    good = [row for row in found if isinstance(row, GradeReport)]
    if apply:
        bad += _store(good, database_url(database, data), file)
    _tell(file, len(rows), bad, applied=apply, as_json=as_json)
    raise typer.Exit(NOT_JUDGED if bad else 0)


def _csv(raw: bytes) -> Rows:
    """Rows of a CSV file; a decimal comma's semicolons are understood."""
    text = raw.decode("utf-8-sig")
    separator = (
        ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    )
    for row in (reader := csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)):
        values = {key: _point(value) if separator == ";" else value for key, value in row.items()}
        yield reader.line_num, values


def _point(value: str | None) -> str | None:
    """A decimal comma as a point, in what is a number."""
    if value is None or not value.replace(",", "", 1).replace("-", "", 1).isdigit():
        return value
    return value.replace(",", ".")


def _xlsx(raw: bytes) -> Rows:
    sheet = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True).active
    lines = sheet.iter_rows(values_only=True)
    names = [str(name).strip() for name in next(lines, ())]
    for number, line in enumerate(lines, start=2):
        if any(value is not None for value in line):
            yield number, dict(zip(names, line, strict=False))


def _store(reports: list[GradeReport], url: str, file: Path) -> list[BadRow]:
    refused = []
    with closing(Records(url)) as records:
        for report in track(reports, "inspections", console=progress_console, transient=True):
            try:
                records.record(report, ())
            except RecordRefused as error:
                refused.append(BadRow(number=0, reasons=(str(error),)))
        stored = len(reports) - len(refused)
        records.note(at_the_shell(), "import", None, f"{stored} inspections from {file.name}")
    return refused


def _tell(file: Path, rows: int, bad: list[BadRow], *, applied: bool, as_json: bool) -> None:
    if as_json:
        wrong = [{"line": row.number, "reasons": list(row.reasons)} for row in bad]
        good = rows - len(bad)
        print_json(
            {"file": str(file), "rows": rows, "good": good, "applied": applied, "bad": wrong}
        )
        return
    for row in bad[:SHOWN]:
        progress_console.print(f"line {row.number}: {'; '.join(row.reasons)}", style="red")
    if len(bad) > SHOWN:
        progress_console.print(f"and {len(bad) - SHOWN} more (--json has all)", style="red")
    done = "imported" if applied else "would be imported; --apply does it"
    progress_console.print(f"{rows - len(bad)} of {rows} rows {done}.")
