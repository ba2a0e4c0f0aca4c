"""Charts for paper: the measured curve with its fit."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from api.screens.language import Translate, number
from grading.iv import single_diode_current
from grading.values import IVCurve, IVResult

BLUE, ORANGE = "#1f5fa8", "#d9730d"
DOTS = 250  # per inch


def curve_chart(
    curves: tuple[IVCurve, ...], result: IVResult | None, t: Translate, language: str
) -> bytes:
    """Return current and power over voltage as a PNG picture."""
    figure = Figure(figsize=(4.4, 3.0), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        axes.plot(curve.voltage, curve.current, ".", color=BLUE, ms=2.5)
    if result is not None:
        _draw_fit(axes, float(max(np.nanmax(c.voltage) for c in curves)), result, language)
    axes.set(xlabel=t("page", "voltage"), ylabel=t("page", "current"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}".replace(".", t("paper", "decimal")))
    axes.set(xlim=(0, None), ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    picture = BytesIO()
    figure.savefig(picture, dpi=DOTS, metadata={"Software": None})
    return picture.getvalue()


def _draw_fit(axes: Axes, v_max: float, result: IVResult, language: str) -> None:
    if result.model is not None:
        voltage = np.linspace(0.0, v_max, 400)
        fitted = np.ravel(single_diode_current(voltage, result.model))
        axes.plot(voltage, fitted, "-", color=ORANGE, lw=0.9)
    measured = result.measured
    axes.plot(measured.v_mp, measured.i_mp, "o", color=ORANGE, mfc="none", ms=7)
    axes.annotate(
        f"{number(measured.p_mp, 1, language)} W",
        (measured.v_mp, measured.i_mp),
        xytext=(-8, -14),
        textcoords="offset points",
        ha="right",
        color=ORANGE,
        fontweight="bold",
    )
