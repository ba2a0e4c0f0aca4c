import numpy as np
import pytest

from grading import iv
from grading.iv import ModuleModel
from grading.joint import compare
from grading.values import (
    CellClass,
    ELCell,
    ELLayout,
    ELQuality,
    ELResult,
    IVCurve,
    Nameplate,
    Sweep,
)
from simulators.population import Condition, make_panel

PLATE = Nameplate(p_mp=250, i_sc=8.9, v_oc=37.6, cells_in_series=60)


def picture(*, lost=None, dark=(), upright=False):
    """A 6×10 picture; ``lost``: inactive share by (row, column); ``dark``: substrings."""
    rows, columns = (10, 6) if upright else (6, 10)
    cells = []
    for row in range(rows):
        for column in range(columns):
            string, along = (column, row) if upright else (row, column)
            inactive = (lost or {}).get((string, along), 0.0)
            is_dark = string // 2 in dark
            cells.append(
                ELCell(
                    row=row,
                    column=column,
                    polygon=(),
                    defect_probability=0.0,
                    cell_class=CellClass.DARK if is_dark else CellClass.SOUND,
                    inactive_fraction=1.0 if is_dark else inactive,
                    crack_length_fraction=0.0,
                    relative_intensity=0.02 if is_dark else 1.0,
                )
            )
    wide, high = float(columns), float(rows)
    return ELResult(
        layout=ELLayout(rows=rows, columns=columns),
        corners=((0.0, 0.0), (wide, 0.0), (wide, high), (0.0, high)),
        quality=ELQuality(sharpness=0.8, snr=50.0, saturated_fraction=0.0),
        cells=tuple(cells),
    )


def analysed(voltage, current, plate=PLATE):
    light = np.full(voltage.size, 1000.0)
    curve = IVCurve(voltage=voltage, current=current, irradiance=light, temperature=25.0)
    (result,) = iv.analyse([curve], plate)
    return result


def measured(loss, *, resistance=0.0, seed=1):
    """The curve of a module whose first cell of each substring has lost so much of its light."""
    light = np.full((1, 3, 20), 8.9)
    light[0, :, 0] *= 1 - np.asarray(loss)
    a = 1.1 * 0.025693
    module = ModuleModel(
        photocurrent=light,
        saturation_current=np.full((1, 1, 1), 8.9 / np.expm1(37.6 / 60 / a)),
        resistance_series=np.full((1, 1, 1), 0.0055),
        conductance_shunt=np.full((1, 1, 1), 0.1),
        nVth=np.full((1, 1, 1), a),
    )
    current = np.linspace(9.0, -0.05, 3000)
    voltage = module.curve(current[::-1])[0][::-1] - resistance * current
    grid = np.linspace(0.0, float(np.interp(0.0, -current, voltage)), 200)
    noisy = np.interp(grid, voltage, current) + np.random.default_rng(seed).normal(0, 4e-3, 200)
    return analysed(grid, noisy)


def deviations(result, seen):
    found = compare(result, seen, PLATE)
    return found.power_deviation, found.voltage_deviation


@pytest.mark.parametrize("number", range(40))
def test_curve_and_picture_of_one_panel_agree(number):
    kinds = (Condition.SOUND, Condition.WORN, Condition.SHORTED_DIODE)
    panel = make_panel(number, condition=kinds[number % 3])
    curve = panel.sweep(Sweep.UP, irradiance=1000.0, points=200)
    (result,) = iv.analyse([curve], panel.nameplate)
    dark = {k for k, shorted in enumerate(panel.shorted) if shorted}
    found = compare(result, picture(dark=dark), panel.nameplate)
    assert abs(found.power_deviation) < 2
    assert abs(found.voltage_deviation) < 2
    assert found.dark == len(dark)


@pytest.mark.parametrize("lost", [0.15, 0.3, 0.5])
@pytest.mark.parametrize("upright", [False, True])
def test_a_lost_area_explains_the_current_that_is_lost(lost, upright):
    """An inactive share of a cell takes as much of its current, beyond the first 8%."""
    seen = picture(lost={(2, 3): 0.08 + 0.92 * lost}, upright=upright)
    power, voltage = deviations(measured((0.0, lost, 0.0)), seen)
    assert abs(power) < 3
    assert abs(voltage) < 2


@pytest.mark.parametrize("lost", [0.3, 0.5])
def test_a_sound_panels_picture_does_not_explain_a_damaged_curve(lost):
    power, _ = deviations(measured((0.0, lost, 0.0)), picture())
    assert power < -3.5


@pytest.mark.parametrize("lost", [0.45, 0.7])
def test_a_damaged_panels_picture_is_not_that_of_a_sound_curve(lost):
    seen = picture(lost={(2, 3): lost, (0, 1): lost, (5, 9): lost / 2})
    power, _ = deviations(measured((0.0, 0.0, 0.0)), seen)
    assert power > 0.8
    two = picture(lost={(2, 3): 0.9, (0, 1): 0.85})
    assert deviations(measured((0.0, 0.0, 0.0)), two)[0] > 3.5


def test_a_dark_substring_without_lost_voltage_is_another_panels_picture():
    assert deviations(measured((0.0, 0.0, 0.0)), picture(dark={1}))[1] < -3.5


def test_lost_voltage_with_every_cell_alight_is_told():
    panel = make_panel(1, condition=Condition.SHORTED_DIODE)
    curve = panel.sweep(Sweep.UP, irradiance=1000.0, points=200)
    (result,) = iv.analyse([curve], panel.nameplate)
    assert compare(result, picture(), panel.nameplate).voltage_deviation > 3.5


def test_light_and_contact_leave_no_trace_in_the_shape():
    """What the comparison cannot see: the fit takes both up. Other checks stand for them."""
    power, voltage = deviations(measured((0.0, 0.0, 0.0), resistance=0.3), picture())
    assert abs(power) < 2
    assert abs(voltage) < 2


def test_without_a_rated_voltage_only_power_is_compared():
    found = compare(measured((0.0, 0.0, 0.0)), picture(), Nameplate(cells_in_series=60))
    assert (found.voltage_lost, found.voltage_deviation) == (None, 0.0)


def test_where_no_model_can_be_built_there_is_no_comparison():
    result = measured((0.0, 0.4, 0.0))
    assert compare(result, picture(), Nameplate()) is None  # steps, and no number of cells
    assert compare(measured((0.0, 0.0, 0.0)), picture(dark={0, 1, 2}), PLATE) is not None


@pytest.mark.parametrize("lost", [0.0, 0.2, 0.4])
def test_agreement_narrows_what_damage_costs(lost):
    """Both tell the loss; together they tell it better than each alone, and truly."""
    rng = np.random.default_rng(int(lost * 10))
    whole = measured((0.0, 0.0, 0.0)).measured.p_mp
    within, narrowed = [], []
    for seed in range(20):
        true = np.array([0.0, lost, lost / 2])
        curve = measured(true, seed=seed)
        area = 0.08 + 0.92 * true + rng.normal(0, 0.02, 3)
        seen = picture(lost={(2 * k, 3): area[k] for k in range(3) if true[k]})
        found = compare(curve, seen, PLATE)
        truth = 1 - curve.measured.p_mp / whole
        if abs(found.power_deviation) < 2:
            within.append(abs(found.power_lost - truth) < 2 * found.u_power_lost)
            narrowed.append(found.u_power_lost < found.u_power_ratio)
    assert len(within) >= 16
    assert np.mean(within) >= 0.9
    assert all(narrowed)


def test_disagreement_widens_what_damage_costs():
    found = compare(measured((0.0, 0.5, 0.0)), picture(), PLATE)
    assert found.power_deviation < -3.5
    assert found.u_power_lost > 2 * found.u_power_ratio
