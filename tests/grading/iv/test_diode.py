from __future__ import annotations

import numpy as np
import pvlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import wrightomega

from grading.iv import Diodes, model_key_figures, single_diode_current
from grading.iv.diode import maximum_power, omega, open_circuit_voltage
from grading.values import SingleDiode


def test_omega_agrees_with_scipy_over_the_whole_range():
    theta = np.concatenate([np.linspace(-500, 50, 3001), np.geomspace(50, 1e6, 500)])
    assert omega(theta) == pytest.approx(wrightomega(theta), rel=5e-14)


def test_currents_equal_pvlib_lambert_w_to_1e_9(draw_modules):
    diodes = draw_modules(300, 1)
    voltage = np.linspace(-0.2, 1.02, 80) * open_circuit_voltage(diodes)[:, None]
    theirs = pvlib.pvsystem.i_from_v(
        voltage,
        diodes.photocurrent[:, None],
        diodes.saturation_current[:, None],
        diodes.resistance_series[:, None],
        1.0 / diodes.conductance_shunt[:, None],
        diodes.nNsVth[:, None],
        method="lambertw",
    )
    assert np.abs(single_diode_current(voltage, diodes) - theirs).max() < 1e-9


def test_key_points_equal_pvlib(draw_modules):
    diodes = draw_modules(100, 2)
    theirs = pvlib.pvsystem.singlediode(
        diodes.photocurrent,
        diodes.saturation_current,
        diodes.resistance_series,
        1.0 / diodes.conductance_shunt,
        diodes.nNsVth,
        method="lambertw",
    )
    ours = model_key_figures(diodes)
    for name, key in (("i_sc", "i_sc"), ("v_oc", "v_oc"), ("p_mp", "p_mp")):
        values = np.array([getattr(figures, name) for figures in ours])
        assert values == pytest.approx(np.asarray(theirs[key]), rel=1e-7)


@given(
    light=st.floats(0.01, 20.0),
    ideality=st.floats(0.8, 2.0),
    series=st.floats(0.0, 2.0),
    shunt=st.floats(0.0, 0.1),
)
def test_the_current_solves_the_equation_and_power_peaks_at_the_maximum(
    light, ideality, series, shunt
):
    a = ideality * 1.54
    diode = Diodes(
        photocurrent=np.array([light]),
        saturation_current=np.array([1e-9]),
        resistance_series=np.array([series]),
        conductance_shunt=np.array([shunt]),
        nNsVth=np.array([a]),
    )
    v_oc = open_circuit_voltage(diode)[0]
    voltage = np.linspace(0.0, v_oc, 101)
    current = single_diode_current(voltage, diode)[0]
    x = voltage + current * series
    assert current == pytest.approx(light - 1e-9 * np.expm1(x / a) - shunt * x, abs=1e-9)
    i_mp, v_mp = maximum_power(diode)
    assert (voltage * current).max() <= i_mp[0] * v_mp[0] * (1 + 1e-12)
    assert single_diode_current(v_mp, diode)[0, 0] == pytest.approx(i_mp[0], rel=1e-9)


def test_one_model_without_series_or_shunt_loss_is_the_shockley_equation():
    model = SingleDiode(
        photocurrent=8.0,
        saturation_current=1e-9,
        resistance_series=0.0,
        resistance_shunt=float("inf"),
        nNsVth=1.6,
        n=None,
        rmse_A=0.0,
        converged=True,
    )
    voltage = np.linspace(0.0, 36.0, 50)
    plain = 8.0 - 1e-9 * np.expm1(voltage / 1.6)
    assert single_diode_current(voltage, model) == pytest.approx(plain, abs=1e-9)
