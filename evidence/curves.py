"""I-V curves in CSV: ``voltage,current[,curve_id][,irradiance][,temperature][,time][,sweep]``.

Units are V, A, W/m², °C and s. Leading comments ``# key: value`` carry metadata
(``cells_in_series``, ``temperature_C``, ``irradiance_W_m2``, ``alpha_sc_A_per_K``,
``beta_voc_V_per_K``). Files may be gzipped.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from grading.errors import CurveError
from grading.values import FloatArray, IVCurve, Nameplate, Sweep

REQUIRED = ("voltage", "current")
NUMERIC = ("voltage", "current", "irradiance", "temperature", "time")
COLUMNS = (*NUMERIC, "curve_id", "sweep")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCurve:
    """A curve, and what its file says of the device."""

    curve: IVCurve
    nameplate: Nameplate


def read_curves(path: Path) -> tuple[MeasuredCurve, ...]:
    """Read every curve of a file, in the order in which they first appear.

    Rows with the same ``curve_id`` and ``sweep`` make one curve. A missing number becomes NaN,
    which the grading judges; a text where a number belongs is an error.

    Raises:
        CurveError: the file is not such a CSV; ``detail`` names the line.
    """
    metadata, table = _split(_text(path), path)
    nameplate = _nameplate(metadata, path)
    return tuple(
        MeasuredCurve(curve=_curve(key, rows, metadata, path), nameplate=nameplate)
        for key, rows in _group(table, path).items()
    )


def write_curves(curves: Sequence[IVCurve]) -> bytes:
    """Return ``curves`` as CSV. Numbers are written so that reading gives the same bits."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["curve_id", "sweep", *NUMERIC])
    for index, curve in enumerate(curves):
        count = curve.voltage.size
        columns = [
            curve.voltage,
            curve.current,
            _or_nan(curve.irradiance, count),
            np.full(count, np.nan if curve.temperature is None else curve.temperature),
            _or_nan(curve.time, count),
        ]
        name = curve.curve_id or str(index + 1)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            cells = ["" if value != value else repr(value) for value in row]
            writer.writerow([name, curve.sweep or "", *cells])
    return text.getvalue().encode()


def _or_nan(array: FloatArray | None, count: int) -> FloatArray:
    return np.full(count, np.nan) if array is None else array


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        return raw.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise CurveError(
            "unreadable", f"{path.name} cannot be read: {error}.", "Check the file and its rights."
        ) from error
    except UnicodeDecodeError as error:
        raise CurveError(
            "not_text", f"{path.name} is not a text file.", "Give a CSV file in UTF-8."
        ) from error


def _split(text: str, path: Path) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Part the leading ``# key: value`` comments from the numbered lines of the table."""
    metadata: dict[str, str] = {}
    table: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("#"):
            key, colon, value = line[1:].partition(":")
            if colon:
                metadata[key.strip()] = value.strip()
        elif line.strip():
            table.append((number, line))
    if not table:
        raise CurveError("empty", f"{path.name} holds no rows.", "Measure the curve again.")
    return metadata, table


def _group(
    table: list[tuple[int, str]], path: Path
) -> Mapping[tuple[str | None, str], Mapping[str, list[float]]]:
    header = [name.strip().lower() for name in next(csv.reader([table[0][1]]))]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise CurveError(
            "columns",
            f"{path.name} has no column {' or '.join(missing)}; its header is {','.join(header)}.",
            f"Name the columns {', '.join(COLUMNS)}, separated by commas.",
        )
    numeric = [(name, header.index(name)) for name in NUMERIC if name in header]
    id_at = header.index("curve_id") if "curve_id" in header else None
    sweep_at = header.index("sweep") if "sweep" in header else None
    groups: dict[tuple[str | None, str], dict[str, list[float]]] = {}
    reader = csv.reader(line for _, line in table[1:])
    for (number, _), row in zip(table[1:], reader, strict=True):
        if len(row) > len(header):
            raise _bad_row(path, number, f"has {len(row)} fields, the header {len(header)}")
        row += [""] * (len(header) - len(row))
        key = (
            row[id_at].strip() if id_at is not None else None,
            row[sweep_at].strip().lower() if sweep_at is not None else "",
        )
        group = groups.get(key)
        if group is None:
            group = groups[key] = {name: [] for name, _ in numeric}
        try:
            for name, at in numeric:
                group[name].append(float(row[at]) if row[at].strip() else np.nan)
        except ValueError as error:
            raise _bad_row(path, number, f"holds {row[at]!r} as {name}") from error
    return groups


def _bad_row(path: Path, number: int, what: str) -> CurveError:
    return CurveError(
        "row",
        f"Line {number} of {path.name} {what}.",
        "Use commas between fields and points in decimals.",
    )


def _curve(
    key: tuple[str | None, str],
    rows: Mapping[str, list[float]],
    metadata: Mapping[str, str],
    path: Path,
) -> IVCurve:
    curve_id, sweep = key
    if sweep not in ("", *Sweep):
        raise CurveError(
            "sweep", f"{path.name} names the sweep {sweep!r}.", "A sweep is 'up' or 'down'."
        )
    count = len(rows["voltage"])
    temperature = _column(rows, "temperature")
    irradiance = _column(rows, "irradiance")
    given = _number(metadata, "irradiance_W_m2", path)
    if irradiance is None and given is not None:
        irradiance = np.full(count, given)
    return IVCurve(
        voltage=np.array(rows["voltage"]),
        current=np.array(rows["current"]),
        irradiance=irradiance,
        temperature=(
            _number(metadata, "temperature_C", path)
            if temperature is None
            else float(np.nanmean(temperature))
        ),
        time=_column(rows, "time"),
        sweep=Sweep(sweep) if sweep else None,
        curve_id=curve_id,
    )


def _column(rows: Mapping[str, list[float]], name: str) -> FloatArray | None:
    """Return a column, or None where the file gives no number in it."""
    values = np.array(rows.get(name, []), dtype=np.float64)
    return values if np.isfinite(values).any() else None


def _number(metadata: Mapping[str, str], key: str, path: Path) -> float | None:
    text = metadata.get(key)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise CurveError(
            "metadata", f"{path.name} says {key}: {text!r}.", "Give a plain number."
        ) from error


def _nameplate(metadata: Mapping[str, str], path: Path) -> Nameplate:
    cells = _number(metadata, "cells_in_series", path)
    return Nameplate(
        cells_in_series=None if cells is None else int(cells),
        alpha_sc=_number(metadata, "alpha_sc_A_per_K", path),
        beta_voc=_number(metadata, "beta_voc_V_per_K", path),
    )


def merge_nameplates(plates: Iterable[Nameplate | None]) -> Nameplate:
    """Return one nameplate in which the first known value of each field wins."""
    merged: dict[str, object] = {}
    for plate in plates:
        if plate is None:
            continue
        for name in Nameplate.__slots__:
            value = getattr(plate, name)
            if value is not None and name not in merged:
                merged[name] = value
    return Nameplate(**merged)  # type: ignore[arg-type]
