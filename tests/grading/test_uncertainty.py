import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_grading
from grading.uncertainty import Budget, Component, relative_covariance, with_uncertainty
from grading.values import STCFigures

sensitivity = st.floats(-1.5, 1.5)
components = st.lists(
    st.builds(
        Component,
        name=st.just("c"),
        u=st.floats(0.0005, 0.01),
        i_sc=sensitivity,
        v_oc=sensitivity,
        fill_factor=sensitivity,
    ),
    min_size=1,
    max_size=8,
)


def figures():
    return STCFigures(i_sc=8.5, v_oc=37.5, i_mp=8.0, v_mp=30.0, p_mp=240.0, fill_factor=0.7529)


@given(components, st.integers(0, 2**32))
def test_the_formula_agrees_with_monte_carlo(parts, seed):
    """JCGM 101 (GUM supplement 1): draw every quantity, and look at the spread of the figures."""
    budget = Budget(name="b", version="1", components=tuple(parts))
    rng = np.random.default_rng(seed)
    i_sc, v_oc, fill_factor = (np.ones(20_000) for _ in range(3))
    for part in parts:
        drawn = 1 + rng.normal(0, part.u, 20_000)
        i_sc *= drawn**part.i_sc
        v_oc *= drawn**part.v_oc
        fill_factor *= drawn**part.fill_factor
    got = with_uncertainty(figures(), budget)
    for analytic, sample in (
        (got.u_i_sc / got.i_sc, i_sc),
        (got.u_v_oc / got.v_oc, v_oc),
        (got.u_p_mp / got.p_mp, i_sc * v_oc * fill_factor),
    ):
        assert analytic == pytest.approx(float(np.std(sample)), rel=0.05, abs=2e-6)


def test_the_shipped_budget_is_that_of_the_domain_sheet():
    """Domain sheet, section 2: a line's U(p_mp) is about 2.2% at k = 2."""
    got = with_uncertainty(figures(), load_grading().budget)
    assert 2 * got.u_p_mp / got.p_mp == pytest.approx(0.022, abs=0.002)


def test_correlation_matters():
    """Irradiance moves i_sc and p_mp alike; what moves v_oc up and the fill factor down cancels."""
    together = Component(name="a", u=0.01, v_oc=1.0, fill_factor=-1.0)
    got = with_uncertainty(figures(), Budget(name="b", version="1", components=(together,)))
    assert got.u_v_oc == pytest.approx(0.375)
    assert got.u_p_mp == pytest.approx(0.0, abs=1e-12)
    assert (
        np.linalg.matrix_rank(
            relative_covariance(Budget(name="b", version="1", components=(together,)))
        )
        == 1
    )
