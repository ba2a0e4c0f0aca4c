from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from grading.errors import CurveError
from grading.iv import Diodes, ModuleModel, analyse, single_diode_current
from grading.iv.diode import open_circuit_voltage
from grading.values import IVCurve, IVResult, Nameplate, Severity


def one(light=9.0, series=0.3, shunt=0.003) -> Diodes:
    return Diodes(
        photocurrent=np.array([light]),
        saturation_current=np.array([1e-9]),
        resistance_series=np.array([series]),
        conductance_shunt=np.array([shunt]),
        nNsVth=np.array([1.7]),
    )


def curve(diodes: Diodes | None = None, samples: int = 200, **more) -> IVCurve:
    diodes = diodes or one()
    voltage = np.linspace(0.0, float(open_circuit_voltage(diodes)[0]), samples)
    current = single_diode_current(voltage, diodes)[0]
    noise = np.random.default_rng(0).normal(0.0, 0.003, samples)
    return IVCurve(voltage=voltage, current=current + noise, **more)


GOOD = curve()
V, I = GOOD.voltage, GOOD.current  # noqa: E741


def single(voltage, current, plate=None, **more):
    (result,) = analyse([IVCurve(voltage=voltage, current=current, **more)], plate)
    return result


@pytest.mark.parametrize(
    ("code", "voltage", "current"),
    [
        ("too_few_points", [], []),
        ("too_few_points", [1.0], [2.0]),
        ("too_few_points", V * np.nan, I),
        ("no_current", V, 0 * I),
        ("no_current", 0 * V, 0 * I),
        ("constant_voltage", 0 * V + 3.0, I),
        ("constant_current", V, 0 * I + 3.0),
        ("milliamperes", V, 1000 * I),
        ("reversed_current", V, -I),
        ("implausible_values", 1e4 * V, I),
        ("implausible_values", V, I * 1e-3 - 1e4 * (V > 30)),
        ("reversed_voltage", -V, I),
        ("reversed_voltage", -V, -I),
        ("swapped_columns", I[I > 0], V[I > 0]),
    ],
)
def test_what_is_no_curve_is_an_error_with_a_remedy(code, voltage, current):
    result = single(np.asarray(voltage, float), np.asarray(current, float))
    assert isinstance(result, CurveError)
    assert result.code == code
    assert result.remedy


def errors(result: IVResult) -> set[str]:
    assert isinstance(result, IVResult)
    return {f.code for f in result.findings if f.severity is Severity.ERROR}


def test_a_good_curve_has_no_errors_and_its_figures():
    (result,) = analyse([GOOD])
    assert errors(result) == set()
    assert result.model is not None
    assert result.model.resistance_series == pytest.approx(0.3, rel=0.02)
    assert result.stc is None
    assert "not_translated" in {f.code for f in result.findings}


@pytest.mark.parametrize(
    ("code", "voltage", "current"),
    [
        ("samples_missing", np.where(np.arange(200) < 50, np.nan, V), I),
        ("contact_lost", V, np.where((np.arange(200) > 90) & (np.arange(200) < 96), 0.0, I)),
        ("current_clipped", V, np.minimum(I, 7.0)),
        ("light_drifted", V, I * (1 + 0.05 * V / V.max())),
        ("sweep_ends_early", V[:130], I[:130]),
        ("sweep_begins_late", V[120:], I[120:]),
        ("noisy", V, I + np.random.default_rng(1).normal(0, 0.4, 200)),
        ("few_points_at_knee", V[::22], I[::22]),
    ],
)
def test_a_measurement_that_is_not_sound_is_an_error(code, voltage, current):
    assert code in errors(single(voltage, current))


def test_dark_curves_are_named(real_curves):
    dark = real_curves("nrel_ibc_32_14_dark_light")["dark"].curve
    (result,) = analyse([dark])
    assert errors(result) == {"dark_curve"}
    assert result.stc is None


def test_order_and_size_change_nothing():
    mixed = np.random.default_rng(0).permutation(200)
    forward, backward, shuffled = analyse(
        [GOOD, *(IVCurve(voltage=V[k], current=I[k]) for k in (slice(None, None, -1), mixed))]
    )
    assert backward.measured == forward.measured
    assert shuffled.model == backward.model


def test_a_million_samples_are_averaged_and_said_so():
    large = curve(samples=1_000_000)
    (result,) = analyse([large])
    assert errors(result) == set()
    assert "samples_averaged" in {f.code for f in result.findings}
    assert result.model is not None
    assert result.model.rmse_A == pytest.approx(0.003, rel=0.01)
    assert result.model.resistance_series == pytest.approx(0.3, rel=1e-3)


def test_a_failing_curve_touches_no_other():
    bad = IVCurve(voltage=np.zeros(9), current=np.zeros(9))
    results = analyse([GOOD, bad, GOOD])
    (alone,) = analyse([GOOD])
    assert isinstance(results[1], CurveError)
    assert results[0].measured == results[2].measured == alone.measured


def test_the_monitor_corrects_each_sample():
    light = 1000.0 * (1.0 + 0.015 * np.sin(np.arange(200) / 9.0))
    steady = single_diode_current(V, one())[0]
    flickering = steady + steady[0] * (light / light.mean() - 1.0)
    result = single(V, flickering, irradiance=light)
    assert result.model is not None
    assert result.model.rmse_A < 2e-4
    assert "irradiance_corrected" in {f.code for f in result.findings}
    assert "light_drifted" not in errors(result)


@pytest.mark.parametrize(("swing", "from_part"), [(0.015, 0.25), (0.13, 0.0)])
def test_an_unstable_flash_that_correction_cannot_mend_is_an_error(swing, from_part):
    part = from_part * V.max() <= V
    light = 1000.0 * (1.0 + swing * np.sin(np.arange(200) / 9.0))
    steady = single_diode_current(V, one())[0]
    flickering = steady + steady[0] * (light / light.mean() - 1.0)
    result = single(V[part], flickering[part], irradiance=light[part])
    (finding,) = [f for f in result.findings if f.code == "flash_unstable"]
    assert finding.severity is Severity.ERROR
    assert finding.value == pytest.approx(100 * swing, rel=0.1)


def test_faults_come_with_a_size():
    plate = Nameplate(cells_in_series=60, i_sc=11.0, v_oc=float(V.max()) * 1.5, alpha_sc=0.004)
    result = single(V, I, plate, irradiance=np.full(200, 1000.0), temperature=25.0)
    sizes = {f.code: f.value for f in result.findings if f.severity is Severity.WARNING}
    assert sizes["substring_missing"] == pytest.approx(200 / 3, abs=0.5)
    assert sizes["current_low"] == pytest.approx(100 * 9.0 / 11.0, abs=0.5)
    worn = curve(one(series=1.0, shunt=0.05))
    (result,) = analyse([worn])
    sizes = {f.code: f.value for f in result.findings}
    assert sizes["series_resistance_high"] == pytest.approx(1.0, rel=0.02)
    assert sizes["shunt_low"] == pytest.approx(20.0, rel=0.02)


@pytest.mark.parametrize(
    ("weak", "cells", "bypass", "code"),
    [
        (9.0, 1, 1e-6, None),  # all cells alike, all diodes well
        (9.0, 1, 0.0, None),  # all cells alike: an open diode carries nothing, and is not seen
        (7.0, 1, 1e-6, "bypass_step"),
        (7.0, 1, 0.0, "current_limited"),
        (6.0, 20, 0.0, "current_limited"),
    ],
)
def test_an_open_bypass_diode_shows_where_a_weak_cell_limits_the_current(weak, cells, bypass, code):
    light = np.full((1, 3, 20), 9.0)
    light[0, 0, :cells] = weak
    one_cell = np.ones((1, 1, 1))
    module = ModuleModel(
        photocurrent=light,
        saturation_current=1e-9 * one_cell,
        resistance_series=0.004 * one_cell,
        conductance_shunt=0.003 * one_cell,
        nVth=0.0283 * one_cell,
        breakdown_voltage=-40.0,
        bypass_saturation=bypass,
    )
    voltage = np.linspace(0.0, 38.8, 250)
    current = module.current(voltage)[0] + np.random.default_rng(2).normal(0.0, 0.003, 250)
    plate = Nameplate(cells_in_series=60)
    result = single(voltage, current, plate, temperature=25.0, irradiance=np.full(250, 1000.0))
    known = {"bypass_step", "current_limited"}
    assert known & {f.code for f in result.findings} == ({code} if code else set())


def test_at_stc_nothing_is_translated():
    plate = Nameplate(cells_in_series=60, alpha_sc=0.004)
    result = single(V, I, plate, irradiance=np.full(200, 1000.0), temperature=25.0)
    assert result.stc is not None
    assert result.stc.p_mp == pytest.approx(result.measured.p_mp, rel=1e-3)
    assert result.model is not None
    assert result.model.n == pytest.approx(1.7 / (60 * 0.025693), rel=0.02)


def test_nonsense_conditions_leave_stc_out():
    for plate, light, temperature in (
        (Nameplate(), 1000.0, 25.0),
        (Nameplate(cells_in_series=0), 1000.0, 25.0),
        (Nameplate(cells_in_series=60), np.nan, 25.0),
        (Nameplate(cells_in_series=60), 0.0, 25.0),
        (Nameplate(cells_in_series=60), 1000.0, None),
        (Nameplate(cells_in_series=60), 1000.0, np.nan),
    ):
        result = single(V, I, plate, irradiance=np.full(200, light), temperature=temperature)
        assert isinstance(result, IVResult)
        assert result.stc is None


@settings(deadline=None, max_examples=60)
@given(
    data=st.integers(0, 40).flatmap(
        lambda n: st.tuples(
            *(arrays(np.float64, n, elements=st.floats(allow_nan=True)) for _ in range(2))
        )
    )
)
def test_any_numbers_give_a_result_or_a_typed_error(data):
    voltage, current = data
    result = single(voltage, current)
    assert isinstance(result, (IVResult, CurveError))


@pytest.mark.parametrize("shown", [9.9e37, -1.8e308, np.inf, np.nan])
def test_what_an_instrument_shows_for_infinity_is_no_reading(shown):
    current = I.copy()
    current[3] = shown
    result = single(V, current)
    assert "samples_missing" in {finding.code for finding in result.findings}
    assert result.measured.i_sc == pytest.approx(single(V, I).measured.i_sc, rel=1e-3)


def test_every_measured_curve_gives_a_result(shared_iv, load_curves):
    measured = list(load_curves(shared_iv, "sunsvoc_cwru_60cell").values())[::9]
    results = analyse([m.curve for m in measured], [m.nameplate for m in measured])
    for result in results:
        assert isinstance(result, IVResult)
        assert np.isfinite(result.measured.p_mp)
