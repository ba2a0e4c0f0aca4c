"""``zonkeur regrade``: the whole history judged again; first shown, then, if wanted, written."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from api.commands.database import database_url
from api.commands.grade import load_criteria
from api.commands.output import BAD_CALL, NOT_JUDGED, print_json, progress_console
from api.records import Filters, Records
from api.regrade.judge import Depth
from api.regrade.ledger import Change, Ledger, run_name
from api.regrade.run import Plan, apply_changes, here, judge_all, on_dask, summary
from evidence.errors import EvidenceError
from evidence.reports import to_json
from grading.errors import GradingError
from grading.verdict import Criteria

SHOWN = 20  # changes on the screen; --json has all


def regrade(
    config: Path | None = typer.Option(None, help="A site's own configuration."),
    rules: Path | None = typer.Option(None, help="Rule file to judge by."),
    prices: Path | None = typer.Option(None, help="Price list to value by."),
    uncertainty: Path | None = typer.Option(None, help="Uncertainty budget."),
    calibration: Path | None = typer.Option(None, help="Register of calibrations."),
    depth: Depth = typer.Option(
        Depth.ALL,
        help="What is done again: everything, only the I-V "
        "curves, or neither (right where only rules or prices changed).",
    ),
    lot: str | None = typer.Option(None),
    maker: str | None = typer.Option(None),
    model: str | None = typer.Option(None),
    since: str | None = typer.Option(None, help="Measured at this moment or later (ISO 8601)."),
    until: str | None = typer.Option(None, help="Measured before this moment."),
    apply: bool = typer.Option(False, "--apply", help="Write the new verdicts beside the old."),
    jobs: int = typer.Option(1, min=1, help="Processor cores to use."),
    dask: str | None = typer.Option(None, help="Dask scheduler, tcp://HOST:PORT."),
    evidence: str | None = typer.Option(None, help="Where fsspec finds the evidence."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    data: Path = typer.Option(Path("var"), help="Folder of the station's data."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Judge stored evidence again, and show what would change and why; --apply makes it so.

    Broken off, the same command goes on where it stopped. A person's verdict stays the current one.
    """
    given = {
        "rules.toml": rules,
        "prices.toml": prices,
        "uncertainty.toml": uncertainty,
        "calibration.toml": calibration,
    }
    criteria = _criteria(config, {name: path for name, path in given.items() if path is not None})
    filters = Filters(lot=lot, maker=maker, model=model, measured_from=since, measured_to=until)
    plan = Plan(
        filters=filters,
        criteria=criteria,
        depth=depth,
        evidence_url=evidence or str((data / "evidence").resolve()),
    )
    run = run_name(criteria, depth, filters)
    ledger = Ledger(data / "regrade" / f"{run.replace(' ', '-')}.jsonl")
    with closing(Records(database_url(database, data))) as records:
        try:
            _judge(records, plan, ledger, jobs, dask)
        except ValueError as error:
            progress_console.print(str(error), style="red")
            raise typer.Exit(BAD_CALL) from error
        left = _apply(records, run, ledger) if apply else []
    _show(run, depth, ledger, left, applied=apply, as_json=as_json)
    if any(True for _ in ledger.faults()) or left:
        raise typer.Exit(NOT_JUDGED)


def _criteria(config: Path | None, instead: dict[str, Path]) -> Criteria:
    try:
        return load_criteria(config, instead)
    except (EvidenceError, GradingError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(BAD_CALL) from error


def _judge(records: Records, plan: Plan, ledger: Ledger, jobs: int, dask: str | None) -> None:
    total = records.number_of(plan.filters)
    where = here(jobs) if dask is None else on_dask(dask)
    with _progress() as bar, where as spread:
        task = bar.add_task("judged", total=total)
        judge_all(records.engine, plan, ledger, spread, lambda steps: bar.advance(task, steps))


def _apply(records: Records, run: str, ledger: Ledger) -> list[str]:
    with _progress() as bar:
        task = bar.add_task("written", total=None)
        return apply_changes(records.engine, run, ledger, lambda steps: bar.advance(task, steps))


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=progress_console, transient=True)


def _show(
    run: str, depth: Depth, ledger: Ledger, left: list[str], *, applied: bool, as_json: bool
) -> None:
    moves = summary(ledger.changes())
    if as_json:
        print_json(
            {
                "run": run,
                "depth": depth.value,
                "judged": len(ledger.done),
                "changed": [_change_json(found) for found in ledger.changes()],
                "faults": [asdict(fault) for fault in ledger.faults()],
                "summary": moves,
                "applied": applied,
                "left_alone": left,
            }
        )
        return
    console = Console()
    console.print(_summary_table(moves))
    for index, found in enumerate(ledger.changes()):
        if index == SHOWN:
            console.print(f"… and {sum(move['panels'] for move in moves) - SHOWN} more (--json).")
            break
        console.print(_line(found))
    for fault in ledger.faults():
        console.print(f"[red]{fault.inspection_id}[/]: {fault.detail} {fault.remedy}")
    for name in left:
        console.print(f"[yellow]{name}[/]: had another verdict meanwhile; run this again.")
    what = "written" if applied else "nothing is written yet: add --apply"
    changed = sum(move["panels"] for move in moves)
    console.print(f"{run} ({depth}): {len(ledger.done)} judged, {changed} change; {what}.")


def _change_json(found: Change) -> dict[str, Any]:
    names = ("inspection_id", "overridden", "old", "new", "came", "went")
    return {name: to_json(getattr(found, name)) for name in names}


def _summary_table(moves: list[dict[str, Any]]) -> Table:
    table = Table("maker", "from", "to", "panels", title="What changes")
    for move in moves:
        kept = " (a person's verdict stays)" if move["overridden"] else ""
        table.add_row(move["maker"], move["from"], move["to"] + kept, str(move["panels"]))
    return table


def _line(found: Change) -> str:
    old, new = found.old, found.new
    came = "".join(f" +{code}" for code in found.came)
    went = "".join(f" -{code}" for code in found.went)
    power = ""
    if old["p_mp"] is not None and new["p_mp"] is not None:
        power = f" {old['p_mp']:.1f} → {new['p_mp']:.1f} W"
    return (
        f"{found.inspection_id}: {old['verdict']} {old['grade'] or ''} → "
        f"{new['verdict']} {new['grade'] or ''}{power}{came}{went}"
    )
