from __future__ import annotations

import numpy as np
import pytest

from grading.iv import Diodes, ModuleModel, single_diode_current

ONE = np.ones((1, 1, 1))


def module(light: np.ndarray, **changes: object) -> ModuleModel:
    fixed = {
        "saturation_current": 1e-9 * ONE,
        "resistance_series": 0.004 * ONE,
        "conductance_shunt": 0.003 * ONE,
        "nVth": 0.0283 * ONE,
    }
    return ModuleModel(photocurrent=light, **(fixed | changes))


def test_equal_cells_are_one_diode():
    voltage = np.linspace(0.0, 38.0, 120)
    ours = module(np.full((2, 3, 20), 9.0), breakdown_factor=0.0).current(voltage)
    diode = Diodes(
        photocurrent=np.array([9.0]),
        saturation_current=np.array([1e-9]),
        resistance_series=np.array([0.24]),
        conductance_shunt=np.array([0.003 / 60]),
        nNsVth=np.array([60 * 0.0283]),
    )
    truth = single_diode_current(voltage, diode)[0]
    generating = truth > 0
    for row in ours:
        assert row[generating] == pytest.approx(truth[generating], abs=5e-3)


def test_voltage_falls_as_current_rises():
    light = np.full((1, 3, 20), 9.0)
    light[0, 1, 3] = 5.0
    volts = module(light).curve(np.linspace(0.0, 9.5, 300))[0]
    assert np.all(np.diff(volts) <= 1e-9)


def test_a_dark_cell_without_bypass_diode_is_driven_into_breakdown():
    light = np.full((1, 3, 20), 9.0)
    light[0, 0, 0] = 0.5
    at_short = np.array([8.5])
    bypassed = module(light).curve(at_short)[0, 0]
    open_diode = module(light, bypass_saturation=0.0).curve(at_short)[0, 0]
    whole = module(np.full((1, 3, 20), 9.0)).curve(at_short)[0, 0]
    # With a bypass diode one substring of three is lost, and half a volt of the diode.
    assert bypassed == pytest.approx(whole * 2 / 3 - 0.48, abs=0.15)
    # Without, the cell breaks down near -15 V while its string still generates.
    assert open_diode == pytest.approx(whole - 15.0, abs=2.0)


def test_a_shorted_bypass_diode_takes_a_third_of_the_voltage():
    light = np.full((1, 3, 20), 9.0)
    whole = module(light).curve(np.array([0.0]))[0, 0]
    dead = light.copy()
    dead[0, 2] = 1e-6
    assert module(dead).curve(np.array([1e-3]))[0, 0] == pytest.approx(whole * 2 / 3, rel=0.03)
