"""The I-V core against pvlib, SciPy and (where installed) pvfit, in one run.

    python -m benchmarks.iv [--shared FOLDER] [--plots FOLDER] [--curves N] [--pvfit PYTHON]

Times are ratios within this run, one processor thread. Rows marked † need the measured curves of
``shared/data/iv``. pvfit is no dependency: ``--pvfit`` names an interpreter that has it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pvlib
from pvlib.ivtools.sde import fit_sandia_simple
from scipy.optimize import least_squares

from benchmarks import _iv_ivcurves
from benchmarks._iv_plots import CLASSIC_NAMES, CLASSICS, draw
from evidence.curves import MeasuredCurve, read_curves
from grading.iv import (
    STC,
    Conditions,
    Diodes,
    Measured,
    analyse,
    fit_single_diode,
    key_figures,
    single_diode_current,
    stages,
    translate_diodes,
)
from grading.iv.diode import maximum_power, open_circuit_voltage
from grading.iv.standard import translation_resistance
from grading.values import FloatArray, IVResult

SAMPLES = 200
LOOPS = 30  # curves that the slow peers are timed on


def row(name: str, value: str, target: str = "") -> None:
    print(f"| {name} | {value} | {target} |")


def best_of(call: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def modules(count: int, seed: int = 0) -> Diodes:
    rng = np.random.default_rng(seed)
    i_sc = rng.uniform(2.0, 10.0, count)
    v_oc = rng.uniform(36.0, 41.0, count)
    a = rng.uniform(1.0, 1.5, count) * 60 * 0.02569
    return Diodes(
        photocurrent=i_sc,
        saturation_current=i_sc / np.expm1(v_oc / a),
        resistance_series=rng.uniform(0.01, 0.08, count) * v_oc / i_sc,
        conductance_shunt=rng.uniform(0.001, 0.03, count) * i_sc / v_oc,
        nNsVth=a,
    )


def synthetic(diodes: Diodes, noise: float = 1e-3) -> tuple[FloatArray, FloatArray]:
    voltage = np.linspace(0.0, 1.0, SAMPLES) * open_circuit_voltage(diodes)[:, None]
    current = single_diode_current(voltage, diodes)
    rng = np.random.default_rng(1)
    return voltage, current + noise * diodes.photocurrent[:, None] * rng.normal(size=current.shape)


def scipy_fit(voltage: FloatArray, current: FloatArray) -> float:
    """Fit one curve as one does today: SciPy over pvlib's explicit model."""
    v_oc, i_sc = voltage.max(), current.max()

    def residual(p: FloatArray) -> FloatArray:
        shunt = 1 / max(p[3], 1e-12)
        model: FloatArray = pvlib.pvsystem.i_from_v(
            voltage, p[0], np.exp(p[1]), p[2], shunt, p[4], method="lambertw"
        )
        return model - current

    a = 0.04 * v_oc
    start = [i_sc, np.log(i_sc) - v_oc / a, 0.03 * v_oc / i_sc, 0.01 * i_sc / v_oc, a]
    low = [0.0, -100.0, 0.0, 0.0, 0.01 * v_oc]
    high = [100.0, 0.0, v_oc / i_sc, i_sc / v_oc, 0.3 * v_oc]
    fit = least_squares(residual, start, bounds=(low, high), x_scale="jac")
    return float(np.sqrt(np.mean(fit.fun**2)))


def speed(count: int, pvfit: Path | None) -> None:
    print(f"\n### Speed: {count} curves of {SAMPLES} samples, one thread\n")
    print(
        f"The load of this machine is {os.getloadavg()[0]:.1f}; each time is the best of several.\n"
    )
    print("| what | measured | target |\n|---|---|---|")
    diodes = modules(count)
    voltage, current = synthetic(diodes)
    ours, sandia, pass_time = _in_turn(voltage, current)
    some = range(LOOPS)
    scipy_time = best_of(lambda: [scipy_fit(voltage[k], current[k]) for k in some], 1) / LOOPS
    row("batch fit", f"{1e6 * ours:.1f} µs a curve")
    row("SciPy least_squares over pvlib", f"{1e3 * scipy_time:.1f} ms a curve")
    row("ratio to it", f"{scipy_time / ours:.0f}", "≥ 1000")
    row("pvlib fit_sandia_simple", f"{1e6 * sandia:.0f} µs a curve")
    row("ratio to pvlib fit_sandia_simple", f"{sandia / ours:.1f}", "≥ 5")
    orthogonal(voltage[:LOOPS], current[:LOOPS], ours, pvfit)
    floor(voltage, current, ours, pass_time)
    forward(diodes)


def _in_turn(voltage: FloatArray, current: FloatArray) -> tuple[float, float, float]:
    """Time ours, fit_sandia_simple and passes of np.exp in turn, a curve.

    Each for about a tenth of a second at a time: all meet the same load, and none alone finds a
    moment without.
    """
    exponent = -10.0 * np.random.default_rng(0).random((80, SAMPLES))
    out = np.empty_like(exponent)
    count, some, passes = voltage.shape[0], range(min(voltage.shape[0], 1000)), range(5000)
    calls = (
        (lambda: fit_single_diode(voltage, current), count),
        (lambda: [fit_sandia_simple(voltage[k], current[k]) for k in some], len(some)),
        (lambda: [np.exp(exponent, out=out) for _ in passes], len(passes) * len(out)),
    )
    best = [np.inf] * len(calls)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(10):
            for k, (call, curves) in enumerate(calls):
                best[k] = min(best[k], best_of(call, 1) / curves)
    return best[0], best[1], best[2]


def orthogonal(voltage: FloatArray, current: FloatArray, ours: float, pvfit: Path | None) -> None:
    """Time pvfit's orthogonal fit in its own environment, and compare the parameters."""
    if pvfit is None:
        row("pvfit's orthogonal fit", "left out: --pvfit names no interpreter that has it")
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "curves.npz"
        np.savez(path, voltage=voltage, current=current, cells=60, celsius=25.0)
        script = Path(__file__).with_name("_iv_pvfit.py")
        answer = subprocess.run([pvfit, script, path], check=True, capture_output=True, text=True)
    theirs = json.loads(answer.stdout.splitlines()[-1])
    light, dark, series, shunt, a = np.array(theirs["fits"]).T
    diodes = Diodes(
        photocurrent=light,
        saturation_current=dark,
        resistance_series=series,
        conductance_shunt=1.0 / shunt,
        nNsVth=a,
    )
    rmse = np.sqrt(np.mean((single_diode_current(voltage, diodes) - current) ** 2, axis=1))
    factor = rmse / fit_single_diode(voltage, current).rmse
    row("pvfit's orthogonal fit", f"{1e3 * theirs['seconds']:.1f} ms a curve")
    row("ratio to it", f"{theirs['seconds'] / ours:.0f}")
    row("its residual over ours, median and worst", f"{np.median(factor):.4f}, {factor.max():.3g}")


def forward(diodes: Diodes) -> None:
    grid = np.linspace(0.0, 1.0, SAMPLES) * open_circuit_voltage(diodes)[:, None]
    mine = best_of(lambda: single_diode_current(grid, diodes))
    columns = [
        diodes.photocurrent[:, None],
        diodes.saturation_current[:, None],
        diodes.resistance_series[:, None],
        1 / diodes.conductance_shunt[:, None],
        diodes.nNsVth[:, None],
    ]
    theirs = best_of(lambda: pvlib.pvsystem.i_from_v(grid, *columns, method="lambertw"))
    apart = np.abs(
        single_diode_current(grid, diodes)
        - pvlib.pvsystem.i_from_v(grid, *columns, method="lambertw")
    ).max()
    row("explicit currents against pvlib's Lambert W", f"{theirs / mine:.1f} times", "≥ 3")
    row("largest difference of the two", f"{apart:.1e} A", "≤ 1e-9")


def floor(voltage: FloatArray, current: FloatArray, ours: float, one: float) -> None:
    """Two floors: the exponentials that this fit does, and those of a plain exact fit.

    A plain Levenberg-Marquardt fit that solves the implicit equation at each sample takes three
    exponentials a sample (Newton from the last current) in each of about eight iterations.
    """
    counted = {"samples": 0}
    known = {name: getattr(stages, name) for name in ("implicit", "exact")}

    def counting(name: str, each: int) -> Callable[..., object]:
        def call(points: object, theta: FloatArray) -> object:
            counted["samples"] += each * points.voltage.size  # type: ignore[attr-defined]
            return known[name](points, theta)

        return call

    for name, each in (("implicit", 1), ("exact", 1)):
        setattr(stages, name, counting(name, each))
    fit_single_diode(voltage, current)
    for name, function in known.items():
        setattr(stages, name, function)
    passes = counted["samples"] / voltage.size
    row("np.exp, one pass", f"{1e6 * one:.2f} µs a curve")
    row("passes that the fit does", f"{passes:.1f}")
    row("time over the floor of a plain exact fit", f"{ours / (24 * one):.1f}", "≤ 3")
    row("time over the floor of its own passes", f"{ours / (passes * one):.1f}")


def efficiency() -> None:
    print("\n### Statistical efficiency: 10,000 modules, 0.1% noise\n")
    print("| what | measured | target |\n|---|---|---|")
    diodes = modules(10_000, 3)
    voltage, current = synthetic(diodes)
    fits = fit_single_diode(voltage, current)
    for k, name in ((0, "photocurrent"), (2, "resistance_series"), (3, "conductance_shunt")):
        error = getattr(fits.diodes, name) - getattr(diodes, name)
        u = np.sqrt(fits.covariance[:, k, k])
        free = u > 0
        pull = float(np.std(error[free] / u[free]))
        row(f"spread of {name} over its stated u", f"{pull:.3f}", "within 3%")
    i_mp, v_mp = maximum_power(diodes)
    i_fit, v_fit = maximum_power(fits.diodes)
    row("bias of P_mp, fit", f"{100 * np.mean(i_fit * v_fit / (i_mp * v_mp) - 1):+.4f}%", "0")
    raw = (voltage * current).max(axis=1) / (i_mp * v_mp) - 1
    row("bias of P_mp, raw maximum", f"{100 * raw.mean():+.3f}%")


def load(folder: Path, name: str) -> dict[str, MeasuredCurve]:
    return {str(m.curve.curve_id): m for m in read_curves(folder / f"{name}.csv.gz")}


def exactness(folder: Path) -> None:
    print("\n### Real curves †: residual against the best known\n")
    print("| what | measured | target |\n|---|---|---|")
    items = json.loads((folder / "expected.json").read_text())["items"]
    known = [item for item in items if "sdm" in item]
    files = {item["set"]: load(folder, item["set"]) for item in items}
    curves = [files[item["set"]][item["curve_id"]].curve for item in known]
    fits = fit_single_diode([c.voltage for c in curves], [c.current for c in curves])
    ratio = fits.rmse / [item["sdm"]["rmse_exact_a"] for item in known]
    row("curves", str(ratio.size))
    row("within a factor 1.0001", f"{100 * np.mean(ratio <= 1.0001):.1f}%", "≥ 99%")
    row("worst factor", f"{ratio.max():.9f}", "≤ 1.01")
    for name in CLASSIC_NAMES:
        curve = read_curves(CLASSICS / f"{name}.csv.gz")[0].curve
        rmse = fit_single_diode([curve.voltage], [curve.current]).rmse[0]
        row(f"rmse of {name}", f"{rmse:.8e} A")
    sandia: list[float] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for curve, item in zip(curves, known, strict=True):
            try:
                light, dark, series, shunt, a = fit_sandia_simple(curve.voltage, curve.current)
                residual = (
                    pvlib.pvsystem.i_from_v(curve.voltage, light, dark, series, shunt, a)
                    - curve.current
                )
                best = item["sdm"]["rmse_exact_a"]
                sandia.append(float(np.sqrt(np.mean(residual**2)) / best))
            except (np.linalg.LinAlgError, RuntimeError, ValueError):
                sandia.append(np.inf)
    row("pvlib fit_sandia_simple: median factor", f"{np.median(sandia):.2f}")
    row("pvlib fit_sandia_simple: failed", str(int(np.sum(~np.isfinite(sandia)))))
    steps(items, files)


def steps(items: list[dict[str, object]], files: dict[str, dict[str, MeasuredCurve]]) -> None:
    print("\n### Bypass steps †\n")
    print("| what | measured | target |\n|---|---|---|")
    labelled = [item for item in items if "steps" in item]
    found = analyse([files[i["set"]][i["curve_id"]].curve for i in labelled])  # type: ignore[index]
    truth = np.array([i["steps"]["n"] for i in labelled])  # type: ignore[index]
    counts = np.array([r.steps.count if isinstance(r, IVResult) else -1 for r in found])
    row("labelled curves right", f"{np.sum(counts == truth)} of {truth.size}", "≥ 90%")
    row("curves with steps right", f"{np.sum((counts == truth)[truth > 0])} of {np.sum(truth > 0)}")
    row("false steps on clean ones", f"{np.sum(counts[truth == 0] > 0)} of {np.sum(truth == 0)}")
    clean = analyse([m.curve for m in files["mitsubishi_pvue125_sandia"].values()])
    false = sum(r.steps.count > 0 for r in clean if isinstance(r, IVResult))
    row("false steps on all Mitsubishi sweeps", f"{false} of {len(clean)}", "≤ 2%")


def translation(folder: Path) -> None:
    print("\n### Translation †: Mitsubishi above 400 W/m² to 1000 W/m², 50 °C, spread of P_mp\n")
    print("| what | measured | target |\n|---|---|---|")
    curves = [
        m.curve
        for m in load(folder, "mitsubishi_pvue125_sandia").values()
        if m.curve.irradiance is not None and m.curve.irradiance.mean() > 400
    ]
    light = np.array([c.irradiance.mean() for c in curves if c.irradiance is not None])
    warm = np.array([c.temperature for c in curves], dtype=np.float64)
    at = Measured(
        irradiance=light,
        temperature=warm,
        cells=np.full(light.size, 36.0),
        alpha=np.full(light.size, 0.0054),
    )
    diodes = fit_single_diode([c.voltage for c in curves], [c.current for c in curves]).diodes
    figures = key_figures([c.voltage for c in curves], [c.current for c in curves])
    power = figures.i_mp * figures.v_mp
    target = Conditions(irradiance=1000.0, temperature=50.0)
    own = translate_diodes(diodes, at, target)
    carried = translate_diodes(diodes, at, target, series=translation_resistance(diodes, at))
    fixed = translate_diodes(diodes, at, target, series=np.full(light.size, 0.30))
    row("linear in irradiance", spread(power * STC.irradiance / light))
    row("procedure 4, R_s of the fit", spread(np.prod(maximum_power(own), axis=0)))
    row("procedure 4, default of analyse", spread(np.prod(maximum_power(carried), axis=0)), "0.42%")
    row("procedure 4, R_s of the set (0.30 Ω)", spread(np.prod(maximum_power(fixed), axis=0)))


def spread(power: FloatArray) -> str:
    return f"{100 * power.std() / power.mean():.3f}%"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    beside = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("--shared", type=Path, default=beside)
    parser.add_argument("--plots", type=Path, help="folder for the figures of docs/iv.md")
    parser.add_argument("--curves", type=int, default=10_000)
    parser.add_argument("--pvfit", type=Path, help="a Python that has pvfit")
    options = parser.parse_args()
    speed(options.curves, options.pvfit)
    efficiency()
    folder = options.shared / "data" / "iv"
    if not folder.is_dir():
        print(f"\nThe measured curves are not at {folder}: rows marked † are left out.")
        return
    exactness(folder)
    translation(folder)
    _iv_ivcurves.report(folder)
    if options.plots is not None:
        draw(folder, options.plots)


if __name__ == "__main__":
    main()
