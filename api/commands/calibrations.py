"""``zonkeur calibrations``: the register of calibrations, and what is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import typer
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from api.commands.output import print_json, progress_console
from config.load import load_grading
from evidence.errors import EvidenceError
from grading.calibration import Calibration, Register, state_at
from grading.errors import GradingError

STYLES = {"valid": "green", "due": "yellow", "expired": "red"}


def calibrations(
    config: Path | None = typer.Option(None, help="A site's own configuration."),
    at: datetime | None = typer.Option(None, help="The moment to look at; now if left out."),
    due: int = typer.Option(30, min=0, help="Days before its end at which one is due."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """List every calibration with its state; exit code 3 where one has expired."""
    try:
        register = load_grading(config).calibrations
    except (EvidenceError, GradingError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(2) from error
    moment = at or datetime.now(UTC)
    states = [_state(c, register, moment, timedelta(days=due)) for c in register.calibrations]
    if as_json:
        rows = TypeAdapter(tuple[Calibration, ...]).dump_python(register.calibrations, mode="json")
        stated = [{**row, "state": state} for row, state in zip(rows, states, strict=True)]
        print_json({"calibrations": stated})
    else:
        _print(register, states)
    if "expired" in states:
        raise typer.Exit(3)


def _state(c: Calibration, register: Register, at: datetime, due: timedelta) -> str:
    state = state_at(c, register, at)
    soon = state == "valid" and state_at(c, register, at + due) == "expired"
    return "due" if soon else state


def _print(register: Register, states: list[str]) -> None:
    table = Table("state", "kind", "instrument", "certificate", "until", "id")
    for c, state in zip(register.calibrations, states, strict=True):
        table.add_row(
            state,
            c.kind.value,
            c.instrument,
            f"{c.certificate}, {c.issued_by}",
            f"{c.valid_until:%Y-%m-%d}",
            c.id,
            style=STYLES.get(state, "dim"),
        )
    Console().print(table)
