"""The figures of docs/iv.md: residuals, a step found, a translation, an open bypass diode."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from evidence.curves import read_curves
from grading.iv import (
    Conditions,
    Measured,
    ModuleModel,
    fit_single_diode,
    single_diode_current,
    translate_diodes,
)
from grading.iv.diode import maximum_power
from grading.iv.prepare import sample_noise
from grading.iv.standard import translation_resistance
from grading.iv.steps import find_steps, knees_current


def draw(folder: Path, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    _residuals(out / "iv_residuals.png")
    _step(folder, out / "iv_step.png")
    _translation(folder, out / "iv_translation.png")
    _limited(out / "iv_limited.png")


CLASSICS = Path(__file__).resolve().parents[1] / "tests" / "data" / "iv"
CLASSIC_NAMES = (
    "classic_rtc_france",
    "classic_stm6_40_36",
    "classic_photowatt_pwp201",
    "pvfit_xsi_72cell",
)


def _residuals(path: Path) -> None:
    figure, axes = plt.subplots(1, 4, figsize=(13, 3), layout="constrained")
    for axis, name in zip(axes, CLASSIC_NAMES, strict=True):
        curve = read_curves(CLASSICS / f"{name}.csv.gz")[0].curve
        fits = fit_single_diode([curve.voltage], [curve.current])
        residual = curve.current - single_diode_current(curve.voltage, fits.diodes)[0]
        axis.axhline(0.0, color="0.7")
        axis.plot(curve.voltage, 1e3 * residual, ".-", color="#1f5fa8", lw=0.8)
        axis.set(title=f"{name}\nrmse {fits.rmse[0]:.4e} A", xlabel="V", ylabel="residual, mA")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _step(folder: Path, path: Path) -> None:
    curves = {m.curve.curve_id: m.curve for m in read_curves(folder / "sunsvoc_cwru_60cell.csv.gz")}
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for axis, name in zip(axes, ("371", "231"), strict=True):
        v, i = curves[name].voltage, curves[name].current
        (found,) = find_steps([v], [i], [sample_noise(v, i)])
        single = fit_single_diode([v], [i]).diodes
        axis.plot(v, i, ".", ms=3, color="0.4", label="measured")
        axis.plot(v, single_diode_current(v, single)[0], "--", color="#c06020", label="one diode")
        if found is not None:
            model = single_diode_current(v, found.diodes)[0] + knees_current(v, found.knees)
            axis.plot(v, model, color="#1f5fa8", label="string")
            lost = ", ".join(f"{loss:.2f}" for loss in found.losses)
            axis.set_title(f"curve {name}: {lost} A lost")
        axis.set(xlabel="voltage, V", ylabel="current, A", ylim=(0, None))
        axis.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _translation(folder: Path, path: Path) -> None:
    curves = [m.curve for m in read_curves(folder / "mitsubishi_pvue125_sandia.csv.gz")]
    curves = [c for c in curves if c.irradiance is not None and c.irradiance.mean() > 400]
    light = np.array([c.irradiance.mean() for c in curves if c.irradiance is not None])
    at = Measured(
        irradiance=light,
        temperature=np.array([c.temperature for c in curves], dtype=np.float64),
        cells=np.full(light.size, 36.0),
        alpha=np.full(light.size, 0.0054),
    )
    diodes = fit_single_diode([c.voltage for c in curves], [c.current for c in curves]).diodes
    target = Conditions(irradiance=1000.0, temperature=50.0)
    moved = translate_diodes(diodes, at, target, series=translation_resistance(diodes, at))
    linear = np.prod(maximum_power(diodes), axis=0) * 1000.0 / light
    power = np.prod(maximum_power(moved), axis=0)
    figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for values, label, colour in (
        (linear, "linear in irradiance", "#c06020"),
        (power, "procedure 4", "#1f5fa8"),
    ):
        share = 100 * values.std() / values.mean()
        axis.plot(light, values, ".", ms=3, color=colour, label=f"{label}: {share:.2f}%")
    axis.set(xlabel="irradiance, W/m²", ylabel="P_mp at 1000 W/m², 50 °C, W")
    axis.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _limited(path: Path) -> None:
    """Draw one weak cell of sixty, with its bypass diode well and open."""
    light = np.full((1, 3, 20), 9.0)
    weak = light.copy()
    weak[0, 0, 0] = 6.5
    one = np.ones((1, 1, 1))
    voltage = np.linspace(0.0, 38.9, 600)
    figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for cells, diode, label, colour in (
        (light, 0.0, "all cells alike: its diode open or not", "0.6"),
        (weak, 1e-6, "one weak cell, its diode well", "#1f5fa8"),
        (weak, 0.0, "one weak cell, its diode open", "#c06020"),
    ):
        module = ModuleModel(
            photocurrent=cells,
            saturation_current=1e-9 * one,
            resistance_series=0.004 * one,
            conductance_shunt=0.003 * one,
            nVth=0.0283 * one,
            breakdown_voltage=-40.0,
            bypass_saturation=diode,
        )
        axis.plot(voltage, module.current(voltage)[0], color=colour, label=label)
    axis.set(xlabel="voltage, V", ylabel="current, A", ylim=(0, None))
    axis.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)
