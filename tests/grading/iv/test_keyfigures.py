from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pvlib.ivtools.utils import astm_e1036

from grading.iv import key_figures, model_key_figures, single_diode_current
from grading.iv.diode import open_circuit_voltage


def test_agrees_with_pvlib_on_real_curves(real_curves):
    for name in ("mitsubishi_pvue125_sandia_subset", "pvfit_xsi_72cell"):
        curves = [m.curve for m in real_curves(name).values()]
        ours = key_figures([c.voltage for c in curves], [c.current for c in curves])
        for row, curve in enumerate(curves):
            frame = pd.Series(curve.voltage), pd.Series(curve.current)
            theirs = astm_e1036(*frame)
            found = ours.one(row)
            assert found.i_sc == pytest.approx(theirs["isc"], rel=1e-4)
            assert found.v_oc == pytest.approx(theirs["voc"], rel=1e-4)
            assert found.p_mp == pytest.approx(theirs["pmp"], rel=5e-4)


def test_reported_figures_are_met(real_curves, expected):
    for item in expected:
        reported = item.get("expected", {})
        if "pmp" not in reported or item["curve_id"] == "dark":
            continue
        curve = real_curves(item["set"])[item["curve_id"]].curve
        found = key_figures([curve.voltage], [curve.current]).one(0)
        assert found.p_mp == pytest.approx(reported["pmp"], rel=0.004)
        assert found.v_oc == pytest.approx(reported["voc"], rel=0.002)


def test_ragged_curves_in_any_order_give_the_figures_of_each(draw_modules):
    diodes = draw_modules(5, 0)
    rng = np.random.default_rng(0)
    voltages, currents = [], []
    for row, v_oc in enumerate(open_circuit_voltage(diodes)):
        voltage = rng.permutation(np.linspace(-0.02, 1.02, 100 + 30 * row)) * v_oc
        voltages.append(voltage)
        currents.append(single_diode_current(voltage, diodes.take(slice(row, row + 1)))[0])
    figures = key_figures(voltages, currents)
    for row, exact in enumerate(model_key_figures(diodes)):
        found = figures.one(row)
        assert found.i_sc == pytest.approx(exact.i_sc, rel=1e-3)
        assert found.v_oc == pytest.approx(exact.v_oc, rel=1e-3)
        assert found.p_mp == pytest.approx(exact.p_mp, rel=4e-3)
        assert found.fill_factor == pytest.approx(exact.fill_factor, rel=5e-3)


def test_a_curve_without_a_knee_has_its_raw_maximum():
    figures = key_figures([np.array([0.0, 1.0, 2.0])], [np.array([2.0, 1.5, 0.0])])
    assert figures.one(0).p_mp == pytest.approx(1.5)
    assert figures.knee_points[0] < 5
