"""``zonkeur iv``: the figures of measured curves, without any hardware."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
from rich.progress import Progress
from rich.table import Table

from api.commands.output import error_json, existing, finish, print_json, progress_console
from api.commands.sweep_pairs import SweepPair, judge_pair, pair_sweeps
from config.load import load_grading
from evidence.curves import MeasuredCurve, merge_nameplates, read_curves
from evidence.reports import to_json
from grading import iv as grading_iv
from grading.errors import CurveError
from grading.uncertainty import with_uncertainty
from grading.values import IVCurve, IVResult, Nameplate

BLOCK = 500  # curves analysed between two steps of the progress bar


def iv(
    files: list[Path] = typer.Argument(..., help="CSV files, also gzipped; several curves each."),
    cells: int | None = typer.Option(None, min=1, help="Cells in series, where not in the file."),
    temperature: float | None = typer.Option(None, help="Cell temperature, °C."),
    irradiance: float | None = typer.Option(None, min=0.0, help="Irradiance, W/m²."),
    nameplate: str | None = typer.Option(None, help='"MAKER MODEL", as printed on the label.'),
    plot: Path | None = typer.Option(None, help="Folder for a picture of each curve."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Key figures, single-diode fit, bypass steps and STC values of I-V curves."""
    existing(files)
    plate = merge_nameplates([Nameplate(cells_in_series=cells), find_nameplate(nameplate)])
    entries: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    with Progress(console=progress_console, transient=True) as progress:
        for file in files:
            try:
                measured = read_curves(file)
            except CurveError as error:
                entries.append({"file": str(file), "curve_id": None, "error": _error(error, file)})
                continue
            task = progress.add_task(file.name, total=len(measured))
            told = [_with_options(m, plate, temperature, irradiance) for m in measured]
            for start in range(0, len(told), BLOCK):
                block = told[start : start + BLOCK]
                entries += _entries(block, file, plot)
                progress.advance(task, len(block))
            pairs += [_pair_entry(pair, file) for pair in pair_sweeps(told)]
    if as_json:
        print_json({"curves": entries, "pairs": pairs} if pairs else {"curves": entries})
    else:
        _print_table(entries, pairs)
    finish([*entries, *pairs])


def find_nameplate(text: str | None) -> Nameplate | None:
    """Return the nameplate of "MAKER MODEL"; leaves with 2 where it is not known."""
    if text is None:
        return None
    from config.nameplates import UnknownModule, find

    try:
        return find(text)
    except UnknownModule as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(2) from error


def _with_options(
    measured: MeasuredCurve, plate: Nameplate, temperature: float | None, irradiance: float | None
) -> MeasuredCurve:
    """What the caller says goes before what the file says."""
    curve = measured.curve
    if temperature is not None:
        curve = replace(curve, temperature=temperature)
    if irradiance is not None:
        curve = replace(curve, irradiance=np.full(curve.voltage.size, irradiance))
    return MeasuredCurve(curve=curve, nameplate=merge_nameplates([plate, measured.nameplate]))


def _entries(block: list[MeasuredCurve], file: Path, plot: Path | None) -> list[dict[str, Any]]:
    results = grading_iv.analyse([m.curve for m in block], [m.nameplate for m in block])
    entries = []
    for measured, one in zip(block, results, strict=True):
        result = _with_budget(one)
        entries.append(_entry(measured.curve, result, file))
        if plot is not None and not isinstance(result, CurveError):
            _plot(measured.curve, result, file, plot)
    return entries


def _with_budget(result: IVResult | CurveError) -> IVResult | CurveError:
    if isinstance(result, CurveError) or result.stc is None:
        return result
    return replace(result, stc=with_uncertainty(result.stc, load_grading().budget))


def _pair_entry(pair: SweepPair, file: Path) -> dict[str, Any]:
    """Both sweeps of a panel: their hysteresis, and the steady curve between them."""
    head: dict[str, Any] = {"file": str(file), "curve_id": pair.curve_id}
    judged = judge_pair(pair)
    if isinstance(judged, CurveError):
        return {**head, "error": _error(judged, file)}
    head["hysteresis"] = {"percent": 100 * judged.hysteresis, "u_p_percent": 100 * judged.u_p_rel}
    findings = to_json(judged.findings)
    if judged.result is None:
        return {**head, "measured": None, "model": None, "stc": None, "findings": findings}
    steady = replace(pair.up.curve, curve_id=pair.curve_id, sweep=None)
    entry = {**head, **_entry(steady, _with_budget(judged.result), file)}
    if "findings" in entry:
        entry["findings"] = findings + entry["findings"]
    return entry


def _entry(curve: IVCurve, result: IVResult | CurveError, file: Path) -> dict[str, Any]:
    head: dict[str, Any] = {"file": str(file), "curve_id": curve.curve_id}
    if curve.sweep is not None:
        head["sweep"] = curve.sweep.value
    if isinstance(result, CurveError):
        return {**head, "error": _error(result, file)}
    body = to_json(result)
    body.pop("curve_id")
    if body["model"] is not None:
        body["model"].pop("covariance")
    return {**head, **body}


def _error(error: CurveError, file: Path) -> dict[str, str]:
    return error_json(error, str(file))


def _plot(curve: IVCurve, result: IVResult, file: Path, folder: Path) -> None:
    from api.commands.plots import plot_curve

    folder.mkdir(parents=True, exist_ok=True)
    stem = file.name.split(".")[0]
    name = stem if curve.curve_id is None else f"{stem}_{curve.curve_id}"
    plot_curve(curve, result, folder / f"{name.replace('/', '-').replace(':', '-')}.png")


def _print_table(entries: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> None:
    table = Table("file", "curve", "I_sc A", "V_oc V", "P_mp W", "FF", "P_mp STC W", "findings")
    for entry in entries:
        _add_row(table, entry)
    for pair in pairs:
        named = f"{pair['curve_id'] or ''} up + down".strip()
        _add_row(table, {**pair, "curve_id": named})
    typer.echo("", nl=False)
    from rich.console import Console

    Console().print(table)


def _add_row(table: Table, entry: dict[str, Any]) -> None:
    name, curve_id = Path(entry["file"]).name, entry["curve_id"] or ""
    if "error" in entry:
        table.add_row(name, curve_id, "", "", "", "", "", _advice(entry))
        return
    measured, stc = entry["measured"] or {}, entry["stc"]
    at_stc = "–" if stc is None else f"{stc['p_mp']:.2f} ± {2 * stc['u_p_mp']:.2f}"
    figures = [_figure(measured.get(key)) for key in ("i_sc", "v_oc", "p_mp", "fill_factor")]
    codes = ", ".join(finding["code"] for finding in entry["findings"])
    table.add_row(name, curve_id, *figures, at_stc, codes)


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _advice(entry: dict[str, Any]) -> str:
    return f"{entry['error']['detail']} {entry['error']['remedy']}"
