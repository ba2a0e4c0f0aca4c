"""Pictures for people who would rather look than read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grading import el
from grading.iv import single_diode_current
from grading.values import Evidence, GradeReport, IVCurve, IVResult, Outcome

BLUE, ORANGE, GREY = "#1f5fa8", "#d9730d", "#8a8f98"
COLOURS = {
    Outcome.PASS: "#1b7f3b",
    Outcome.REJECT: "#b3261e",
    Outcome.RETEST: "#b26a00",
    Outcome.HOLD: "#b26a00",
}


def plot_curve(curve: IVCurve, result: IVResult, path: Path) -> None:
    """Draw one curve with its fit, its power and the fit's residuals."""
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    _draw_curve(upper, curve, result)
    order = np.argsort(curve.voltage)
    if result.model is not None:
        fitted = single_diode_current(curve.voltage, result.model)
        lower.plot(curve.voltage, (curve.current - fitted) * 1e3, ".", color=BLUE, ms=3)
    lower.axhline(0, color=GREY, lw=0.8)
    lower.set(xlabel="voltage (V)", ylabel="residual (mA)")
    lower.set_xlim(curve.voltage[order[0]], None)
    figure.savefig(path, dpi=130)


def plot_verdict(evidence: Evidence, report: GradeReport, path: Path) -> None:
    """Draw one panel's curve and EL picture under its verdict."""
    figure = Figure(figsize=(14, 6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
    title = f"{report.panel.panel_id}   {report.verdict.upper()} {report.grade or ''}"
    figure.suptitle(title, fontsize=18, fontweight="bold", color=COLOURS[report.verdict])
    if evidence.curves and report.iv is not None:
        for curve in evidence.curves:
            _draw_curve(left, curve, report.iv)
    else:
        _say(left, "no curve that can be judged")
    if evidence.image is not None and report.el is not None:
        overlay = el.draw_overlay(evidence.image, report.el)
        right.imshow(cv2.cvtColor(overlay, cv2.COLOR_BGR2RGB))
        right.axis("off")
    else:
        _say(right, "no EL picture that can be judged")
    figure.savefig(path, dpi=130)


def _draw_curve(axes: Axes, curve: IVCurve, result: IVResult) -> None:
    axes.plot(curve.voltage, curve.current, ".", color=BLUE, ms=4, label="measured")
    measured = result.measured
    if result.model is not None:
        voltage = np.linspace(0.0, float(np.nanmax(curve.voltage)), 400)
        current = single_diode_current(voltage, result.model)
        axes.plot(voltage, current, "-", color=ORANGE, lw=1.2, label="single-diode fit")
    label = f"P_mp {measured.p_mp:.2f} W"
    axes.plot(measured.v_mp, measured.i_mp, "o", color=ORANGE, mfc="none", ms=9, label=label)
    axes.set(xlabel="voltage (V)", ylabel="current (A)", ylim=(0, None))
    axes.grid(alpha=0.25)
    axes.legend(loc="lower left", frameon=False)


def _say(axes: Axes, text: str) -> None:
    axes.axis("off")
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, fontsize=14)
