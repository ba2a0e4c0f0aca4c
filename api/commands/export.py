"""``zonkeur export``: the history as a table, or as whole records."""

from __future__ import annotations

import csv
import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

import typer
from pydantic import TypeAdapter
from rich.progress import track

from api.commands.database import database_url
from api.commands.output import BAD_CALL, at_the_shell, print_json, progress_console
from api.records import Filters, InspectionRecord, InspectionRow, Records
from grading.values import Outcome

PAGE = 500


class Form(StrEnum):
    """How the history is written: a line each, or everything that is known of each."""

    CSV = "csv"
    JSONL = "jsonl"


def export(
    out: Path | None = typer.Argument(None, help="File to write; standard output if left out."),
    form: Form | None = typer.Option(None, "--format", help="By the file's name if left out."),
    verdict: Outcome | None = typer.Option(None),
    grade: str | None = typer.Option(None),
    maker: str | None = typer.Option(None),
    model: str | None = typer.Option(None),
    lot: str | None = typer.Option(None),
    reason: str | None = typer.Option(None, help="A reason code."),
    since: str | None = typer.Option(None, help="Measured at this moment or later (ISO 8601)."),
    until: str | None = typer.Option(None, help="Measured before this moment."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Write the inspections that fit, newest first; those recorded meanwhile are left out."""
    if out is None and as_json:
        progress_console.print("Name a file to export to: --json needs stdout.", style="red")
        raise typer.Exit(BAD_CALL)
    form = form or (Form.JSONL if out is not None and out.suffix == ".jsonl" else Form.CSV)
    filters = Filters(
        verdict=verdict,
        grade=grade,
        maker=maker,
        model=model,
        lot=lot,
        reason=reason,
        measured_from=since,
        measured_to=until,
    )
    with closing(Records(database_url(database, data))) as records, _open(out) as file:
        try:
            count = _write(file, form, records, filters)
        except ValueError as error:
            progress_console.print(str(error), style="red")
            raise typer.Exit(BAD_CALL) from error
        records.note(at_the_shell(), "export", None, f"{count} inspections as {form}")
    if as_json:
        print_json({"file": str(out), "rows": count})
    else:
        progress_console.print(f"{count} inspections.")


def _write(file: TextIO, form: Form, records: Records, filters: Filters) -> int:
    write = _table(file) if form is Form.CSV else _whole(file, records)
    count = 0
    rows = track(_rows(records, filters), "inspections", console=progress_console, transient=True)
    for row in rows:
        write(row)
        count += 1
    return count


def _table(file: TextIO) -> Callable[[InspectionRow], object]:
    table = csv.DictWriter(file, [field.name for field in dataclasses.fields(InspectionRow)])
    table.writeheader()
    return lambda row: table.writerow(dataclasses.asdict(row))


def _whole(file: TextIO, records: Records) -> Callable[[InspectionRow], object]:
    form = TypeAdapter(InspectionRecord)
    return lambda row: file.write(
        form.dump_json(records.inspection(row.inspection_id)).decode() + "\n"
    )


def _rows(records: Records, filters: Filters) -> Iterator[InspectionRow]:
    cursor = None
    while True:
        page = records.page(filters, cursor, PAGE)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return


@contextmanager
def _open(out: Path | None) -> Iterator[TextIO]:
    """Open a draft beside ``out`` that takes its name once it is whole, or standard output."""
    if out is None:
        yield sys.stdout
        return
    draft = out.with_name(f".{out.name}.draft")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            yield file
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
