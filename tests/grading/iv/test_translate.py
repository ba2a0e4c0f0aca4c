from __future__ import annotations

import numpy as np
import pytest

from grading.errors import CurveError
from grading.iv import (
    STC,
    Conditions,
    Diodes,
    Measured,
    Sample,
    determine,
    fit_single_diode,
    key_figures,
    single_diode_current,
    translate_diodes,
    translate_procedure_1,
    translate_procedure_2,
    translate_procedure_3,
    translate_procedure_4,
)
from grading.iv.diode import maximum_power, open_circuit_voltage
from grading.iv.standard import standard_figures, translation_resistance

WARM = Conditions(irradiance=800.0, temperature=45.0)


def test_procedure_1_by_hand():
    voltage, current = translate_procedure_1(
        [30.0],
        [6.0],
        WARM,
        STC,
        i_sc=6.4,
        alpha=0.004,
        beta=-0.13,
        resistance_series=0.3,
        kappa=0.001,
    )
    i2 = 6.0 + 6.4 * 0.25 - 0.08
    assert current == pytest.approx([i2])
    assert voltage == pytest.approx([30.0 - 0.3 * (i2 - 6.0) + 0.001 * i2 * 20.0 + 2.6])


def test_procedure_2_by_hand():
    voltage, current = translate_procedure_2(
        [30.0],
        [6.0],
        WARM,
        STC,
        v_oc_stc=38.0,
        alpha_rel=0.0005,
        beta_rel=-0.0034,
        resistance_series=0.3,
        kappa=0.001,
        b1=0.06,
        b2=0.002,
    )
    i2 = 1.25 * 6.0 / 1.01
    log = np.log(1.25)
    f = 0.002 * log**2 + 0.06 * log + 1.0
    shift = -0.0034 * (0.0 - f * 20.0) + 1.0 - 1.0 / f
    expected = 30.0 - (0.3 + 0.02) * (i2 - 6.0) + 0.001 * i2 * 20.0 + 38.0 * shift
    assert current == pytest.approx([i2])
    assert voltage == pytest.approx([expected])


def test_every_procedure_leaves_a_curve_at_its_own_conditions_alone():
    v, i = np.linspace(0, 38, 9), np.linspace(8, 0, 9)
    for moved in (
        translate_procedure_1(v, i, WARM, WARM, i_sc=8, alpha=0.1, beta=-1, resistance_series=1),
        translate_procedure_2(
            v, i, WARM, WARM, v_oc_stc=38, alpha_rel=0.1, beta_rel=-1, resistance_series=1
        ),
        translate_procedure_4(
            v, i, WARM, WARM, i_sc=8, alpha=0.1, resistance_series=1, cells_in_series=60
        ),
    ):
        assert moved[0] == pytest.approx(v)
        assert moved[1] == pytest.approx(i)


def test_procedure_4_there_and_back_is_the_same_curve(draw_modules):
    diodes = draw_modules(1, 3)
    voltage = np.linspace(0.0, 1.0, 60) * open_circuit_voltage(diodes)[0]
    current = single_diode_current(voltage, diodes)[0]
    known = {"alpha": 0.004, "resistance_series": 0.3, "cells_in_series": 60}
    there = translate_procedure_4(voltage, current, WARM, STC, i_sc=current[0], **known)
    i_sc = current[0] * 1.25
    # Going back undoes the temperature step first, so the irradiance step sees the same I_sc.
    back = translate_procedure_4(*there, STC, WARM, i_sc=i_sc, **known)
    assert back[1] == pytest.approx(current, abs=1e-9)
    assert back[0] == pytest.approx(voltage, abs=0.05)


def test_procedure_3_interpolates_between_two_curves(draw_modules):
    bright = draw_modules(1, 4)
    dim = bright.copy()
    dim.photocurrent[:] *= 0.6
    half = bright.copy()
    half.photocurrent[:] *= 0.8
    grid = np.linspace(-0.1, 1.05, 800) * open_circuit_voltage(bright)[0]
    i_bright, i_dim, i_half = (single_diode_current(grid, d)[0] for d in (bright, dim, half))
    at = [Conditions(irradiance=g, temperature=25.0) for g in (600.0, 1000.0)]
    short = [float(np.interp(0.0, grid, i)) for i in (i_dim, i_bright)]
    voltage, current, reached = translate_procedure_3(
        (grid, i_dim, at[0], short[0]), (grid, i_bright, at[1], short[1]), 800.0
    )
    assert reached == Conditions(irradiance=800.0, temperature=25.0)
    found = key_figures([voltage], [current]).one(0).p_mp
    assert found == pytest.approx(key_figures([grid], [i_half]).one(0).p_mp, rel=2e-3)


def test_a_model_is_translated_as_its_samples_are(draw_modules):
    diodes = draw_modules(20, 7)
    measured = Measured(
        irradiance=np.full(20, 800.0),
        temperature=np.full(20, 45.0),
        cells=np.full(20, 60.0),
        alpha=np.full(20, 0.004),
    )
    series = translation_resistance(diodes, measured)
    moved = translate_diodes(diodes, measured, series=series)
    for row in range(20):
        one = diodes.take(slice(row, row + 1))
        voltage = np.linspace(0.0, 1.0, 50) * open_circuit_voltage(one)[0]
        current = single_diode_current(voltage, one)[0]
        v2, i2 = translate_procedure_4(
            voltage,
            current,
            WARM,
            STC,
            i_sc=float(current[0]),
            alpha=0.004,
            resistance_series=float(series[row]),
            cells_in_series=60,
        )
        ours = single_diode_current(v2, moved.take(slice(row, row + 1)))[0]
        assert ours == pytest.approx(i2, abs=1e-9)


def test_figures_at_stc_carry_an_uncertainty_that_grows_with_the_distance(draw_modules):
    diodes = draw_modules(2, 12)
    measured = Measured(
        irradiance=np.array([1000.0, 500.0]),
        temperature=np.array([25.0, 60.0]),
        cells=np.full(2, 60.0),
        alpha=np.full(2, np.nan),
    )
    near, far = standard_figures(diodes, measured, np.zeros(2))
    i_mp, v_mp = maximum_power(diodes)
    assert near.p_mp == pytest.approx(i_mp[0] * v_mp[0])
    assert near.u_p_mp == pytest.approx(0.0, abs=1e-9)
    assert far.u_p_mp is not None
    assert 0.002 < far.u_p_mp / far.p_mp < 0.05


def test_series_resistance_is_determined_from_a_set_of_curves(draw_modules):
    bright = draw_modules(1, 13)
    samples = []
    for light in (500.0, 700.0, 850.0, 1000.0):
        one = bright.copy()
        one.photocurrent[:] *= light / 1000.0
        voltage = np.linspace(0.0, 1.15, 300) * open_circuit_voltage(one)[0]
        current = single_diode_current(voltage, one)[0]
        at = Conditions(irradiance=light, temperature=25.0)
        samples.append(
            Sample(voltage=voltage, current=current, conditions=at, i_sc=float(current[0]))
        )

    def translate(sample, series):
        return translate_procedure_1(
            sample.voltage,
            sample.current,
            sample.conditions,
            STC,
            i_sc=sample.i_sc,
            alpha=0.0,
            beta=0.0,
            resistance_series=series,
        )

    truth = float(bright.resistance_series[0])
    found = determine(samples, translate, low=0.0, high=3 * truth)
    assert found.value == pytest.approx(truth, rel=0.05)
    assert found.spread < 1e-3
    with pytest.raises(CurveError, match="three or more"):
        determine(samples[:2], translate, low=0.0, high=1.0)


def rendered(diode: Diodes, at: Conditions, *, series: float = 0.0, kappa: float = 0.0) -> Sample:
    """Draw the curve that procedure 1 carries back to ``diode`` at STC, past both axes."""
    voltage = np.linspace(-0.2, 1.2, 500) * open_circuit_voltage(diode)[0]
    current = single_diode_current(voltage, diode)[0]
    i_sc = float(np.interp(0.0, voltage, current)) * at.irradiance / 1000.0
    warmer = STC.temperature - at.temperature
    shift = i_sc * (1000.0 / at.irradiance - 1.0) + ALPHA * warmer
    v1 = voltage + series * shift + kappa * current * warmer - BETA * warmer
    return Sample(voltage=v1, current=current - shift, conditions=at, i_sc=i_sc)


ALPHA, BETA = 0.004, -0.12


def test_series_resistance_and_kappa_come_back_from_rendered_sets(draw_modules):
    diode = draw_modules(1, 31)
    series, kappa = 0.35, 0.0021

    def translate(sample, rs, k):
        return translate_procedure_1(
            sample.voltage,
            sample.current,
            sample.conditions,
            STC,
            i_sc=sample.i_sc,
            alpha=ALPHA,
            beta=BETA,
            resistance_series=rs,
            kappa=k,
        )

    lights = [Conditions(irradiance=g, temperature=25.0) for g in (400.0, 600.0, 800.0, 1000.0)]
    bright = [rendered(diode, at, series=series) for at in lights]
    found = determine(bright, lambda sample, rs: translate(sample, rs, 0.0), low=0.0, high=1.0)
    assert found.value == pytest.approx(series, rel=5e-3)
    warmths = [Conditions(irradiance=1000.0, temperature=t) for t in (20.0, 35.0, 50.0, 65.0)]
    warm = [rendered(diode, at, series=series, kappa=kappa) for at in warmths]
    found = determine(warm, lambda sample, k: translate(sample, series, k), low=-0.01, high=0.01)
    assert found.value == pytest.approx(kappa, rel=5e-3)
    assert found.spread < 1e-4


def test_a_series_resistance_that_grows_with_temperature_is_found_as_kappa(draw_modules):
    """As in silicon nNsVth and I0 grow with T; then Rs grows too, by a known part."""
    cold, growth = draw_modules(1, 32), 0.0015

    def found(per_kelvin: float) -> float:
        samples = []
        for warm in (25.0, 40.0, 55.0, 70.0):
            one = cold.copy()
            stretch = (warm + 273.15) / 298.15
            gap = float(open_circuit_voltage(cold)[0]) * 1.9
            v_oc = gap - (gap - float(open_circuit_voltage(cold)[0])) * stretch
            one.nNsVth[:] *= stretch
            one.saturation_current[:] = one.photocurrent / np.expm1(v_oc / one.nNsVth)
            one.resistance_series[:] += per_kelvin * (warm - 25.0)
            voltage = np.linspace(-0.2, 1.2, 500) * v_oc
            current = single_diode_current(voltage, one)[0]
            at = Conditions(irradiance=1000.0, temperature=warm)
            samples.append(
                Sample(voltage=voltage, current=current, conditions=at, i_sc=float(current[71]))
            )
        beta = (v_oc - float(open_circuit_voltage(cold)[0])) / 45.0

        def translate(sample: Sample, kappa: float):
            return translate_procedure_1(
                sample.voltage,
                sample.current,
                sample.conditions,
                STC,
                i_sc=sample.i_sc,
                alpha=0.0,
                beta=beta,
                resistance_series=0.0,
                kappa=kappa,
            )

        return determine(samples, translate, low=-0.02, high=0.02).value

    assert found(growth) - found(0.0) == pytest.approx(growth, rel=0.05)


def test_the_mitsubishi_sweeps_give_a_series_resistance_and_a_kappa_of_its_size(
    shared_iv, load_curves
):
    sweeps = [m.curve for m in load_curves(shared_iv, "mitsubishi_pvue125_sandia").values()]
    light = np.array([c.irradiance.mean() for c in sweeps])
    warm = np.array([c.temperature for c in sweeps])
    target = Conditions(irradiance=1000.0, temperature=50.0)
    series_set = np.flatnonzero((light > 400) & (np.abs(warm - 50.0) < 2.0))[::4]
    kappa_set = np.flatnonzero(np.abs(light - 1000.0) < 60.0)[::3]
    rows = np.concatenate([series_set, kappa_set])
    fits = fit_single_diode([sweeps[k].voltage for k in rows], [sweeps[k].current for k in rows])
    samples = []
    for place, row in enumerate(rows.tolist()):
        one = fits.diodes.take(slice(place, place + 1))
        voltage = np.linspace(-0.05, 1.2, 300) * open_circuit_voltage(one)[0]
        current = single_diode_current(voltage, one)[0]
        at = Conditions(irradiance=float(light[row]), temperature=float(warm[row]))
        short = float(np.interp(0.0, voltage, current))
        samples.append(Sample(voltage=voltage, current=current, conditions=at, i_sc=short))

    def translate(sample, rs, k):
        return translate_procedure_1(
            sample.voltage,
            sample.current,
            sample.conditions,
            target,
            i_sc=sample.i_sc,
            alpha=0.0054,
            beta=-0.078,
            resistance_series=rs,
            kappa=k,
        )

    count = series_set.size
    series = determine(samples[:count], lambda s, x: translate(s, x, 0.0), low=0.0, high=1.0)
    assert 0.25 < series.value < 0.35
    assert series.spread < 0.003
    kappa = determine(
        samples[count:], lambda s, x: translate(s, series.value, x), low=-0.01, high=0.01
    )
    # Half to one percent of R_s a kelvin.
    assert 0.5 < 100 * kappa.value / series.value < 1.0
    assert kappa.spread < 0.003


def test_real_sweeps_at_1000_w_and_50_degrees_agree_within_0_42_percent(shared_iv, load_curves):
    measured = [
        m
        for m in load_curves(shared_iv, "mitsubishi_pvue125_sandia").values()
        if m.curve.irradiance.mean() > 400.0
    ]
    light = np.array([m.curve.irradiance.mean() for m in measured])
    fits = fit_single_diode(
        [m.curve.voltage for m in measured], [m.curve.current for m in measured]
    )
    at = Measured(
        irradiance=light,
        temperature=np.array([m.curve.temperature for m in measured]),
        cells=np.full(light.size, 36.0),
        alpha=np.full(light.size, 0.0054),
    )
    target = Conditions(irradiance=1000.0, temperature=50.0)
    series = translation_resistance(fits.diodes, at)
    i_mp, v_mp = maximum_power(translate_diodes(fits.diodes, at, target, series=series))
    power = i_mp * v_mp
    assert power.std() / power.mean() < 0.0042
    i_raw, v_raw = maximum_power(fits.diodes)
    linear = i_raw * v_raw * 1000.0 / light
    assert linear.std() / linear.mean() > 0.03
