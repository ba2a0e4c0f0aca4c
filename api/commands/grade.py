"""``zonkeur grade DIR``: the verdict on folders of evidence, without any hardware."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import track

from api.commands.output import error_json, finish, print_json, progress_console
from config.load import load_grading
from evidence.errors import EvidenceError
from evidence.folder import read_evidence
from evidence.reports import report_to_json
from evidence.weights import load_cell_model
from grading.errors import GradingError
from grading.verdict import Criteria
from grading.verdict import grade as grade_evidence


def load_criteria(site: Path | None = None, instead: Mapping[str, Path] | None = None) -> Criteria:
    """Return all that a verdict depends on besides the evidence, as configured."""
    config = load_grading(site, instead)
    return Criteria(
        rules=config.rules,
        rule_source=config.rule_source,
        prices=config.prices,
        budget=config.budget,
        software_version=version("zonkeur"),
        cell_model=load_cell_model(),
        calibrations=config.calibrations,
        frames=config.frames,
    )


def grade(
    folders: list[Path] = typer.Argument(..., help="Folders with panel.toml, iv.csv, el.png."),
    config: Path | None = typer.Option(None, help="A site's own configuration."),
    plot: Path | None = typer.Option(None, help="Folder for a picture of each verdict."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Judge one panel's evidence; of several folders, the reports come as a list."""
    try:
        criteria = load_criteria(config)
    except (EvidenceError, GradingError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(2) from error
    documents: list[dict[str, Any]] = []
    for folder in track(folders, "panels", console=progress_console, transient=True):
        try:
            evidence = read_evidence(folder)
            report = grade_evidence(evidence, criteria)
        except (EvidenceError, GradingError) as error:
            documents.append({"file": str(folder), "error": error_json(error, str(folder))})
            continue
        documents.append(report_to_json(report))
        if plot is not None:
            from api.commands.plots import plot_verdict

            plot.mkdir(parents=True, exist_ok=True)
            plot_verdict(evidence, report, plot / f"{report.inspection_id}.png")
    if as_json:
        print_json(documents[0] if len(documents) == 1 else {"reports": documents})
    else:
        _print_reports(documents)
    finish(documents)


def _print_reports(documents: list[dict[str, Any]]) -> None:
    console = Console()
    for document in documents:
        if "error" in document:
            error = document["error"]
            console.print(f"[red]{document['file']}[/]: {error['detail']} {error['remedy']}")
            continue
        head = f"{document['panel']['panel_id']}: [bold]{document['verdict'].upper()}[/]"
        console.print(head, document["grade"] or "", "→", document["destination"])
        for finding in document["findings"]:
            mark = "✓" if finding["outcome"] == "pass" else "✗"
            console.print(
                f"  {mark} {finding['rule']}: {_value(finding)} "
                f"(limit {finding['limit']}) → {finding['outcome']}"
            )


def _value(finding: dict[str, Any]) -> str:
    """Return a finding's value as value ± U, with its unit."""
    value, u = finding["value"], finding["expanded_uncertainty"]
    if value is None or isinstance(value, (bool, str)):
        return "not measured" if value is None else str(value)
    unit = "" if finding["unit"] in (None, "1") else f" {finding['unit']}"
    return f"{value:.4g}{unit}" if u is None else f"{value:.4g} ± {u:.2g}{unit}"
