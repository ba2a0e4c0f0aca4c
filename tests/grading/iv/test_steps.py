from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grading.iv import ModuleModel, analyse, single_diode_current
from grading.iv.diode import open_circuit_voltage
from grading.iv.steps import find_steps, sudden_losses
from grading.values import IVCurve


def shaded(lights: tuple[float, float, float], noise: float, seed: int) -> IVCurve:
    """A 60-cell module of which one cell in each substring sees less light."""
    light = np.full((1, 3, 20), 9.0)
    light[0, :, 7] = lights
    one = np.ones((1, 1, 1))
    module = ModuleModel(
        photocurrent=light,
        saturation_current=1e-9 * one,
        resistance_series=0.004 * one,
        conductance_shunt=0.003 * one,
        nVth=0.0283 * one,
        breakdown_factor=0.0,
    )
    voltage = np.linspace(0.0, 38.0, 200)
    current = module.current(voltage)[0]
    keep = current > -0.2
    rng = np.random.default_rng(seed)
    return IVCurve(
        voltage=voltage[keep], current=current[keep] + noise * rng.normal(size=int(keep.sum()))
    )


def test_labelled_real_curves(real_curves, expected):
    labelled = [item for item in expected if "steps" in item]
    results = analyse([real_curves(i["set"])[i["curve_id"]].curve for i in labelled])
    right = [r.steps.count == i["steps"]["n"] for r, i in zip(results, labelled, strict=True)]
    false = [r.steps.count for r, i in zip(results, labelled, strict=True) if not i["steps"]["n"]]
    assert np.mean(right) >= 0.9
    assert np.count_nonzero(false) <= 0.02 * len(false)


def test_all_labelled_curves_and_no_false_step_in_clean_outdoor_sweeps(
    shared_iv, load_curves, load_labels
):
    labels = {(i["set"], i["curve_id"]): i for i in load_labels(shared_iv) if "steps" in i}
    pairs = [(load_curves(shared_iv, s)[c].curve, i["steps"]["n"]) for (s, c), i in labels.items()]
    counts = np.array([r.steps.count for r in analyse([curve for curve, _ in pairs])])
    truth = np.array([n for _, n in pairs])
    assert np.mean(counts[truth > 0] == truth[truth > 0]) >= 0.9
    assert np.mean(counts[truth == 0] > 0) <= 0.02
    clean = load_curves(shared_iv, "mitsubishi_pvue125_sandia").values()
    found = analyse([m.curve for m in clean])
    assert sum(r.steps.count > 0 for r in found) <= 0.02 * len(found)


@pytest.mark.parametrize(
    ("lights", "lost"),
    [
        ((9.0, 9.0, 7.0), [2.0]),
        ((9.0, 8.3, 8.3), [0.7]),
        ((9.0, 8.0, 6.5), [1.0, 1.5]),
    ],
)
def test_a_shaded_cell_costs_what_the_step_says(lights, lost):
    (result,) = analyse([shaded(lights, 0.004, 1)])
    assert result.steps.count == len(lost)
    # The shaded cells' own shunts let a little more current through.
    assert result.steps.current_lost == pytest.approx(lost, abs=0.25)
    findings = [f for f in result.findings if f.code == "bypass_step"]
    assert len(findings) == len(lost)
    assert all(f.u is not None and 0.0 <= f.u < 0.5 for f in findings)


@settings(deadline=None, max_examples=25)
@given(noise=st.floats(1e-4, 5e-2), seed=st.integers(0, 1000))
def test_a_single_diode_with_noise_has_no_steps(noise, seed):
    curve = shaded((9.0, 9.0, 9.0), noise, seed)
    (found,) = find_steps([curve.voltage], [curve.current], [noise])
    assert found is None or all(loss < 0.09 for loss in found.losses)


def test_bad_first_points_are_no_step(real_curves):
    for curve_id in ("439", "240", "1095"):
        curve = real_curves("sunsvoc_cwru_60cell_subset")[curve_id].curve
        (result,) = analyse([curve])
        assert result.steps.count == 0
        codes = {finding.code for finding in result.findings}
        assert "samples_discounted" in codes
        assert result.robust is not None
        # Beyond the bad samples the robust fit lies nearer to the curve.
        sound = curve.voltage > 3.0
        plain, robust = (
            np.sum((single_diode_current(curve.voltage, model) - curve.current)[sound] ** 2)
            for model in (result.model, result.robust)
        )
        assert robust < plain


def test_the_screen_sees_a_fall_and_not_a_slope(draw_modules):
    diodes = draw_modules(1, 0)
    voltage = np.linspace(0.0, 1.0, 150) * open_circuit_voltage(diodes)[0]
    plain = single_diode_current(voltage, diodes)[0]
    sloping = plain - 0.02 * voltage
    fallen = np.where(voltage < 0.3 * voltage[-1], plain * 1.05, plain)
    losses = sudden_losses([voltage] * 3, [plain, sloping, fallen]).max(axis=1)
    assert losses[0] < 0.005
    assert losses[1] < 0.01
    assert losses[2] == pytest.approx(0.05, abs=0.01)


def test_no_curves_have_no_steps():
    assert find_steps([], [], []) == []
