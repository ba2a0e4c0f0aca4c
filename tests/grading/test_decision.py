import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grading.decision import Conformity, conformance_probability, decide


@pytest.mark.parametrize(
    ("margin_in_u", "probability"), [(0.0, 0.5), (1.6449, 0.95), (1.96, 0.975), (-1.6449, 0.05)]
)
def test_published_probabilities(margin_in_u, probability):
    """JCGM 106:2012, table 1."""
    assert conformance_probability(margin_in_u * 0.3, 0.3) == pytest.approx(probability, abs=1e-4)


def test_an_exact_value_is_compared_as_it_is():
    assert decide(0.0, None, false_accept=0.05) is Conformity.CONFORMS
    assert decide(-1e-12, 0.0, false_accept=0.05) is Conformity.FAILS


@given(
    limit=st.floats(0.5, 1.0),
    off=st.floats(0.0, 0.1),
    u=st.floats(0.001, 0.05),
    false_accept=st.sampled_from([0.01, 0.025, 0.05, 0.2]),
    seed=st.integers(0, 2**32),
)
def test_no_more_false_accepts_than_stated(limit, off, u, false_accept, seed):
    """The true value fails the limit; count how often its measurement is accepted."""
    true = limit - off
    measured = np.random.default_rng(seed).normal(true, u, 4000)
    accepted = sum(
        decide(float(value) - limit, u, false_accept=false_accept) is Conformity.CONFORMS
        for value in measured
    )
    spread = 5 * np.sqrt(false_accept * (1 - false_accept) / measured.size)
    assert accepted / measured.size <= false_accept + spread


@given(st.floats(-1, 1), st.floats(1e-6, 1), st.sampled_from([0.01, 0.05, 0.3]))
def test_acceptance_and_rejection_are_symmetric(margin, u, false_accept):
    mirrored = {
        Conformity.CONFORMS: Conformity.FAILS,
        Conformity.FAILS: Conformity.CONFORMS,
        Conformity.MARGINAL: Conformity.MARGINAL,
    }
    there = decide(margin, u, false_accept=false_accept)
    assert decide(-margin, u, false_accept=false_accept) is mirrored[there]
