from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grading.errors import CurveError
from grading.iv import hysteresis, key_figures, single_diode_current
from grading.iv.diode import open_circuit_voltage
from grading.values import IVCurve, Severity, Sweep


def sweeps(draw_modules, capacitance: float) -> tuple[IVCurve, IVCurve, float]:
    """Both sweeps of a module whose charge follows exp(V / 2a), at one volt per millisecond."""
    diodes = draw_modules(1, 21)
    v_oc = float(open_circuit_voltage(diodes)[0])
    voltage = np.linspace(0.0, 1.0, 400) * v_oc
    steady = single_diode_current(voltage, diodes)[0]
    charging = capacitance * np.exp((voltage - v_oc) / (2 * diodes.nNsVth[0])) * steady[0]
    up = IVCurve(voltage=voltage, current=steady - charging, sweep=Sweep.UP, temperature=25.0)
    down = IVCurve(
        voltage=voltage[::-1], current=(steady + charging)[::-1], sweep=Sweep.DOWN, temperature=27.0
    )
    figures = key_figures([voltage], [steady])
    return up, down, float(figures.i_mp[0] * figures.v_mp[0])


@pytest.mark.parametrize(("capacitance", "largest"), [(0.0, 1e-9), (0.01, 0.005), (0.05, 0.02)])
def test_small_hysteresis_is_corrected(draw_modules, capacitance, largest):
    up, down, power = sweeps(draw_modules, capacitance)
    combined = hysteresis(up, down)
    assert combined.curve is not None
    assert 0.0 <= combined.hysteresis <= largest + 1e-9
    found = key_figures([combined.curve.voltage], [combined.curve.current]).one(0)
    assert found.p_mp == pytest.approx(power, rel=2e-4)
    assert combined.curve.temperature == pytest.approx(26.0)
    assert combined.findings[0].severity is Severity.INFO


def test_a_corrected_hysteresis_adds_uncertainty(draw_modules):
    up, down, _ = sweeps(draw_modules, 0.05)
    combined = hysteresis(up, down)
    assert combined.hysteresis > 0.005
    assert combined.u_p_rel == pytest.approx(combined.hysteresis / (2 * np.sqrt(3)))


def test_large_hysteresis_is_refused_with_its_size(draw_modules):
    up, down, _ = sweeps(draw_modules, 0.4)
    combined = hysteresis(up, down)
    assert combined.curve is None
    (finding,) = combined.findings
    assert finding.code == "hysteresis_too_large"
    assert finding.severity is Severity.ERROR
    assert finding.value == pytest.approx(100 * combined.hysteresis)


@pytest.mark.parametrize(("fall", "severity"), [(0.06, Severity.WARNING), (0.25, Severity.ERROR)])
def test_both_sweeps_are_brought_to_one_irradiance_and_an_unstable_flash_is_told(
    draw_modules, fall, severity
):
    up, down, _ = sweeps(draw_modules, 0.01)
    i_sc = float(up.current[0])
    dims = 1000.0 * (1.0 - fall * np.linspace(0.0, 1.0, up.voltage.size))
    lit = [
        replace(one, current=one.current + i_sc * (light / 1000.0 - 1.0), irradiance=light)
        for one, light in ((up, dims), (down, dims))
    ]
    combined = hysteresis(*lit)
    assert combined.curve is not None
    assert combined.curve.irradiance == pytest.approx(np.full(400, dims.mean()))
    found = key_figures([combined.curve.voltage], [combined.curve.current]).one(0)
    steady = 0.5 * (up.current + down.current[::-1]) + i_sc * (dims.mean() / 1000.0 - 1.0)
    truth = key_figures([up.voltage], [steady]).one(0)
    assert found.p_mp == pytest.approx(truth.p_mp, rel=1e-3)
    assert found.i_sc == pytest.approx(truth.i_sc, rel=1e-3)
    (unstable,) = [f for f in combined.findings if f.code == "flash_unstable"]
    assert unstable.severity is severity


def test_sweeps_over_different_ranges_are_refused(draw_modules):
    up, down, _ = sweeps(draw_modules, 0.0)
    elsewhere = IVCurve(voltage=down.voltage + 100.0, current=down.current)
    with pytest.raises(CurveError, match="same range"):
        hysteresis(up, elsewhere)
