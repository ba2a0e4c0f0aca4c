"""``zonkeur el`` and ``zonkeur cells``: what EL pictures show, without any hardware."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.commands.output import (
    BAD_CALL,
    error_json,
    existing,
    finish,
    print_json,
    progress_console,
)
from evidence.images import read_el_image, read_image
from evidence.reports import to_json
from evidence.weights import load_cell_model
from grading import el as grading_el
from grading.el.cells import judge_single
from grading.errors import ImageError
from grading.values import ELLayout, ELResult


def el(
    images: list[Path] = typer.Argument(..., help="EL pictures of whole modules."),
    layout: str | None = typer.Option(None, help="ROWSxCOLS to check what is seen against."),
    overlay: Path | None = typer.Option(None, help="Folder for pictures with the findings."),
    plot: Path | None = typer.Option(None, help="The same as --overlay."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Find the module, its cells, and what is wrong with each."""
    existing(images)
    expected = _layout(layout)
    model = load_cell_model()
    entries: list[dict[str, Any]] = []
    for file in track(images, "EL pictures", console=progress_console, transient=True):
        try:
            image = read_el_image(file)
            result = grading_el.analyse(image, layout=expected, model=model)
        except ImageError as error:
            entries.append({"file": str(file), "error": error_json(error, str(file))})
            continue
        entries.append(el_entry(result, file))
        folder = overlay or plot
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            drawn = grading_el.draw_overlay(image, result)
            cv2.imwrite(str(folder / f"{file.stem}_overlay.png"), drawn)
    if as_json:
        print_json({"images": entries})
    else:
        _print_images(entries)
    finish(entries)


def el_entry(result: ELResult, file: Path) -> dict[str, Any]:
    """Return one image's entry of the JSON."""
    body = to_json(result)
    for cell in body["cells"]:
        cell["class"] = cell.pop("cell_class")
    return {"file": str(file), **body}


def cells(
    images: list[Path] = typer.Argument(..., help="Pictures that are one cell each."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document on stdout."),
) -> None:
    """Judge pictures that each show one cell."""
    existing(images)
    model = load_cell_model()
    entries: list[dict[str, Any]] = []
    for file in track(images, "cells", console=progress_console, transient=True):
        try:
            judged = judge_single([read_image(file)], model=model)
        except ImageError as error:
            entries.append({"file": str(file), "error": error_json(error, str(file))})
            continue
        entries.append(
            {
                "file": str(file),
                "defect_probability": float(judged.defect_probability[0]),
                "class": judged.cell_class[0].value,
                "inactive_fraction": float(judged.inactive_fraction[0]),
                "crack_length_fraction": float(judged.crack_length_fraction[0]),
            }
        )
    if as_json:
        print_json({"cells": entries})
    else:
        table = Table("file", "probability", "class", "inactive", "crack length")
        for entry in entries:
            table.add_row(*(str(value) for value in entry.values()))
        Console().print(table)
    finish(entries)


def _layout(text: str | None) -> ELLayout | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,2})[x×](\d{1,2})", text.strip().lower())
    if match is None:
        progress_console.print(f"{text!r} is not a layout such as 6x10.", style="red")
        raise typer.Exit(BAD_CALL)
    return ELLayout(rows=int(match[1]), columns=int(match[2]))


def _print_images(entries: list[dict[str, Any]]) -> None:
    table = Table("file", "layout", "defective cells", "worst dead area", "findings")
    for entry in entries:
        name = Path(entry["file"]).name
        if "error" in entry:
            table.add_row(name, "", "", "", f"{entry['error']['detail']}")
            continue
        layout = entry["layout"]
        defective = sum(cell["defect_probability"] >= 0.5 for cell in entry["cells"])
        worst = max(cell["inactive_fraction"] for cell in entry["cells"])
        codes = ", ".join(finding["code"] for finding in entry["findings"])
        table.add_row(
            name, f"{layout['rows']}×{layout['columns']}", str(defective), f"{worst:.1%}", codes
        )
    Console().print(table)
