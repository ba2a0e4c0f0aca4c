"""The public ``ivcurves`` benchmark (Hansen, github.com/cwhanse/ivcurves), by its own scores.

Cases 1 and 2, exact curves: ten points of the fitted curve, equally spaced in voltage, are each
joined to the origin; where that ray meets the true curve, the relative distance is taken. The
score is the sum over points and curves (``score_curve``).

Case 3, fifty noisy sweeps of one module: one set of five parameters for all fifty; the score is
the sum of their relative errors (``score_parameters``, and the page "Test Cases").
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
from pvlib.ivtools.sde import fit_sandia_simple

from grading.iv import Diodes, fit_single_diode, single_diode_current
from grading.iv.diode import open_circuit_voltage
from grading.iv.translate import BOLTZMANN_PER_CHARGE
from grading.values import FloatArray

POINTS = 10
TEMPERATURE = 298.15  # K
# What its test page says of the noise: 0.1% of the current, normal, with an autocorrelation; a
# uniform +-0.05% of the voltage.
CURRENT_NOISE, VOLTAGE_NOISE = 0.001, 0.0005 / np.sqrt(3.0)

Curves = tuple[list[FloatArray], list[FloatArray]]


def report(folder: Path) -> None:
    print("\n### The public ivcurves benchmark †, by its own scores (less is better)\n")
    print("| case | ours | fit_sandia_simple | leaderboard | mean error of the curve | how |")
    print("|---|---|---|---|---|---|")
    curves, truth = read(folder, "case1")
    found = fit_single_diode(*curves).diodes
    ours, theirs = score_rays(found, truth), score_rays(simple(curves), truth)
    error = mean_error(found, truth)
    print(f"| case1 | {ours:.2e} | {theirs:.3g} | | {error:.1e} A | 32 exact curves, each fitted |")
    for case, best in (("case3a", "4.26"), ("case3c", "")):
        curves, truth = read(folder, case)
        one = truth.take(slice(0, 1))
        each = fit_single_diode(*curves).diodes
        alone = np.median([score_parameters(row, one) for row in singles(each)])
        theirs = score_parameters(medians(simple(curves)), one)
        pooled = together(curves)
        print(
            f"| {case} | {score_parameters(pooled, one):.3g} | {theirs:.3g} | {best} |"
            f" {1e3 * mean_error(pooled, one):.2f} mA | one fit of all 50 sweeps |"
        )
        print(
            f"| {case} | {alone:.2g} (median) | | | {1e3 * mean_error(each, truth):.2f} mA |"
            " each sweep alone |"
        )


def together(curves: Curves) -> Diodes:
    """Fit all sweeps of one module as one curve, with noise in current and voltage."""
    voltage, current = np.concatenate(curves[0]), np.concatenate(curves[1])
    noise = (CURRENT_NOISE * float(current.max()), VOLTAGE_NOISE * float(voltage.max()))
    return fit_single_diode([voltage], [current], noise=noise).diodes


def simple(curves: Curves) -> Diodes:
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for voltage, current in zip(*curves, strict=True):
            try:
                rows.append(fit_sandia_simple(voltage, current))
            except (np.linalg.LinAlgError, RuntimeError, ValueError):
                rows.append((np.nan,) * 5)
    light, dark, series, shunt, a = np.array(rows).T
    return Diodes(
        photocurrent=light,
        saturation_current=dark,
        resistance_series=series,
        conductance_shunt=1.0 / shunt,
        nNsVth=a,
    )


def singles(diodes: Diodes) -> list[Diodes]:
    return [diodes.take(slice(row, row + 1)) for row in range(len(diodes))]


def medians(diodes: Diodes) -> Diodes:
    """Return one module of several fits: the median of each parameter."""
    columns = (getattr(diodes, name) for name in Diodes.__slots__)
    return Diodes(
        **{
            name: np.array([np.nanmedian(column)])
            for name, column in zip(Diodes.__slots__, columns, strict=True)
        }
    )


def read(folder: Path, case: str) -> tuple[Curves, Diodes]:
    """Return the curves of one case, and the true module of each."""
    base = folder / "ivcurves_benchmark"
    curves = json.loads((base / f"{case}.json").read_text())["IV Curves"]
    table = np.genfromtxt(base / f"{case}.csv", delimiter=",", names=True, ndmin=1)
    table = np.broadcast_to(table, (len(curves),))
    voltages = [np.array(curve["Voltages"], dtype=np.float64) for curve in curves]
    currents = [np.array(curve["Currents"], dtype=np.float64) for curve in curves]
    thermal = table["cells_in_series"] * BOLTZMANN_PER_CHARGE * TEMPERATURE
    truth = Diodes(
        photocurrent=table["photocurrent"].copy(),
        saturation_current=table["saturation_current"].copy(),
        resistance_series=table["resistance_series"].copy(),
        conductance_shunt=1.0 / table["resistance_shunt"],
        nNsVth=table["n"] * thermal,
    )
    return (voltages, currents), truth


def mean_error(found: Diodes, truth: Diodes) -> float:
    """Return the mean absolute difference of the currents [A] over 0 to V_oc."""
    grid = np.linspace(0.0, 1.0, 100) * open_circuit_voltage(truth)[:, None]
    difference = single_diode_current(grid, found) - single_diode_current(grid, truth)
    return float(np.mean(np.abs(difference)))


def score_parameters(found: Diodes, truth: Diodes) -> float:
    """Sum the relative errors of the five parameters (of shunt resistance, not conductance)."""
    pairs = [
        (getattr(found, name), getattr(truth, name))
        for name in ("photocurrent", "saturation_current", "resistance_series", "nNsVth")
    ]
    shunt = 1.0 / np.maximum(found.conductance_shunt, 1e-12)
    pairs.append((shunt, 1.0 / truth.conductance_shunt))
    return float(sum(np.sum(np.abs(x - known) / known) for x, known in pairs))


def score_rays(found: Diodes, truth: Diodes) -> float:
    """Sum the relative distances along rays from the origin, over points and curves."""
    voltage = np.linspace(0.0, 1.0, POINTS) * open_circuit_voltage(found)[:, None]
    current = np.maximum(single_diode_current(voltage, found), 0.0)
    low = np.zeros_like(voltage)
    high = low + open_circuit_voltage(truth)[:, None]
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = single_diode_current(middle, truth) * voltage > current * middle
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    x = np.where(voltage == 0.0, 0.0, 0.5 * (low + high))
    y = single_diode_current(x, truth)
    along = np.divide(voltage - x, x, out=np.zeros_like(x), where=x > 0.0)
    # At open circuit the true current is zero, and no distance to it is relative.
    across = np.divide(current - y, y, out=np.zeros_like(y), where=y > 1e-9 * y.max())
    return float(np.nansum(np.hypot(along, across)))
