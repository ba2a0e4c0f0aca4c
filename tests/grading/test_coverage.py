"""The stated uncertainty holds: simulated measurements with known truth, through the real pipeline.

20,000 modules are measured by stations that err as the shipped budget says (JCGM 101): each line
of the budget draws its error and distorts the whole curve, every sample has its own noise, and the
curves go through fit, translation, budget and rule as a panel's do.
"""

from dataclasses import dataclass

import numpy as np
import pytest

from config.load import load_grading
from grading import iv
from grading.decision import Conformity, decide
from grading.iv import Diodes, model_key_figures
from grading.uncertainty import with_uncertainty
from grading.values import IVCurve, IVResult, Nameplate

CONFIG = load_grading()
BUDGET = CONFIG.budget
COUNT, POINTS = 20_000, 60
NOISE = 5e-4  # of I_sc, a sample
NAMES = ("i_sc", "v_oc", "fill_factor", "p_mp")


@dataclass
class Measured:
    """What was true, what was found, and its standard uncertainty; ``(COUNT, 4)`` each."""

    truth: np.ndarray
    found: np.ndarray
    u: np.ndarray


def modules(rng):
    """60-cell modules of all strengths, at standard conditions."""
    return Diodes(
        photocurrent=rng.uniform(7.5, 9.5, COUNT),
        saturation_current=np.exp(rng.uniform(np.log(1e-10), np.log(1e-9), COUNT)),
        resistance_series=rng.uniform(0.2, 0.6, COUNT),
        conductance_shunt=1 / np.exp(rng.uniform(np.log(100), np.log(2000), COUNT)),
        nNsVth=rng.uniform(1.0, 1.2, COUNT) * 60 * 0.025693,
    )


def figures(diodes):
    return np.array([[getattr(f, name) for name in NAMES] for f in model_key_figures(diodes)])


def errors(rng):
    """Relative errors of i_sc, v_oc and fill factor, as the budget's lines make them together."""
    drawn = np.zeros((COUNT, 3))
    for line in BUDGET.components:
        drawn += rng.normal(0, line.u, (COUNT, 1)) * [line.i_sc, line.v_oc, line.fill_factor]
    return drawn


def curves(diodes, off, rng):
    """The curves as a station that errs so sees them.

    An error of the fill factor is one of the series resistance: what changes it and no other
    figure (first order; Green 1982, eq. 11).
    """
    truth = figures(diodes)
    step = Diodes(**{**vars_of(diodes), "resistance_series": diodes.resistance_series + 0.02})
    slope = (figures(step)[:, 2] / truth[:, 2] - 1) / 0.02
    shown = Diodes(
        **{**vars_of(diodes), "resistance_series": diodes.resistance_series + off[:, 2] / slope}
    )
    v_oc = truth[:, 1]
    # Denser around the knee, as a flash tester sweeps.
    part = np.concatenate(
        [np.linspace(0, 0.7, POINTS // 3), np.linspace(0.71, 1.0, POINTS * 2 // 3)]
    )
    result = []
    for k in range(COUNT):
        voltage = part * v_oc[k]
        current = iv.single_diode_current(voltage, shown.take(slice(k, k + 1)))
        noisy = np.ravel(current) * (1 + off[k, 0]) + rng.normal(0, NOISE * 8.5, voltage.size)
        result.append(
            IVCurve(
                voltage=voltage * (1 + off[k, 1]),
                current=noisy,
                irradiance=np.full(voltage.size, 1000.0),
                temperature=25.0,
            )
        )
    return truth, result


def vars_of(diodes):
    return {name: getattr(diodes, name) for name in Diodes.__slots__}


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(20_261_123)
    diodes = modules(rng)
    truth, seen = curves(diodes, errors(rng), rng)
    results = iv.analyse(seen, Nameplate(cells_in_series=60))
    assert all(isinstance(result, IVResult) and result.stc for result in results)
    stated = [with_uncertainty(result.stc, BUDGET) for result in results]
    return Measured(
        truth=truth,
        found=np.array([[getattr(s, name) for name in NAMES] for s in stated]),
        u=np.array([[getattr(s, f"u_{name}") for name in NAMES] for s in stated]),
    )


@pytest.mark.parametrize("name", NAMES)
def test_19_of_20_true_values_lie_within_the_stated_uncertainty(measured, name):
    column = NAMES.index(name)
    off = measured.found[:, column] - measured.truth[:, column]
    covered = float(np.mean(np.abs(off) <= 2 * measured.u[:, column]))
    assert covered == pytest.approx(0.95, abs=0.01)
    assert abs(off.mean()) < 0.1 * measured.u[:, column].mean(), "no figure is biased"


@pytest.mark.parametrize("limit", [0.70, 0.80, 0.90])
def test_no_more_is_accepted_falsely_than_the_rule_file_states(measured, limit):
    """Specific consumer's risk at any true value, and the global one (JCGM 106, 9.3 and 9.4)."""
    p_mp, u = measured.found[:, 3], measured.u[:, 3]
    # A rating that puts this module's true power within 6% of the limit.
    true_ratio = np.random.default_rng(7).uniform(limit - 0.06, limit + 0.06, COUNT)
    rated = measured.truth[:, 3] / true_ratio
    bound = CONFIG.rules.false_accept
    passed = np.array(
        [
            decide(value / rating - limit, spread / rating, false_accept=bound)
            is Conformity.CONFORMS
            for value, rating, spread in zip(p_mp, rated, u, strict=True)
        ]
    )
    assert passed.mean() > 0.2, "the rule accepts what is surely good"
    just_below = (true_ratio < limit) & (true_ratio > limit - 0.004)
    allowed = bound + 4 * np.sqrt(bound * (1 - bound) / just_below.sum())
    assert passed[just_below].mean() <= allowed
    assert np.mean(true_ratio[passed] < limit) <= bound
