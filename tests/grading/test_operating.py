import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_grading
from grading.decision import Conformity, decide
from grading.operating import characteristic, u_of_power
from grading.rules import Condition, Rule
from grading.values import Outcome

CONFIG = load_grading()
BOOK = CONFIG.rules


def rule(**limit):
    return Rule(
        id="r",
        stage="s",
        condition=Condition(feature="nameplate_ratio", **limit),
        otherwise=Outcome.REJECT,
        reason="x",
        source="",
    )


@given(
    u=st.floats(0.001, 0.05),
    off=st.floats(-0.1, 0.1),
    risk=st.sampled_from([0.01, 0.05, 0.2]),
    upper=st.booleans(),
)
def test_it_is_the_share_of_simulated_decisions(u, off, risk, upper):
    limit = {"at_most": 0.7} if upper else {"at_least": 0.7}
    found = characteristic(rule(**limit), u=u, false_accept=risk, values=np.array([0.7 + off]))
    seen = np.random.default_rng(1).normal(0.7 + off, u, 2000)
    sign = -1 if upper else 1
    decided = [decide(sign * (value - 0.7), u, false_accept=risk) for value in seen]
    for kind, share in (
        (Conformity.CONFORMS, found.accept),
        (Conformity.MARGINAL, found.undecided),
        (Conformity.FAILS, found.fail),
    ):
        assert np.mean([d is kind for d in decided]) == pytest.approx(float(share[0]), abs=0.06)


def test_at_the_limit_the_risk_is_the_one_stated():
    (power,) = (r for r in BOOK.rules if r.id == "power")
    u = u_of_power(CONFIG.budget) * 0.7
    found = characteristic(power, u=u, false_accept=BOOK.false_accept, values=np.array([0.7]))
    assert found.accept[0] == pytest.approx(BOOK.false_accept)
    assert found.fail[0] == pytest.approx(BOOK.false_accept)
    assert found.guard == pytest.approx(1.645 * u, rel=1e-3)


def test_probabilities_add_up_and_rise():
    values = np.linspace(0.5, 0.9, 201)
    found = characteristic(rule(at_least=0.7), u=0.02, false_accept=0.05, values=values)
    np.testing.assert_allclose(found.accept + found.undecided + found.fail, 1.0)
    assert (np.diff(found.accept) >= 0).all()
    assert (np.diff(found.fail) <= 0).all()


@pytest.mark.parametrize(("limit", "u"), [({"equals": True}, 0.1), ({"at_least": 1.0}, 0.0)])
def test_what_has_no_characteristic_says_so(limit, u):
    with pytest.raises(ValueError, match="no characteristic"):
        characteristic(rule(**limit), u=u, false_accept=0.05, values=np.array([1.0]))
