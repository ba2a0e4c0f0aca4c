import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_grading
from grading.feature import Analysed
from grading.features import extract
from grading.features.safety import bypass_diodes, bypass_diodes_work
from grading.rules import apply, verdict
from grading.values import (
    BypassSteps,
    Evidence,
    Finding,
    IVResult,
    KeyFigures,
    Nameplate,
    Outcome,
    PanelIdentity,
    SafetyRecord,
    Severity,
)

RULES = load_grading().rules
FIGURES = KeyFigures(i_sc=8.6, v_oc=37.5, i_mp=8.1, v_mp=30, p_mp=243, fill_factor=0.75)


def features(*codes, safety=None, plate=None):
    found = tuple(Finding(code=code, severity=Severity.WARNING, detail="") for code in codes)
    result = IVResult(measured=FIGURES, model=None, steps=BypassSteps(), stc=None, findings=found)
    panel = PanelIdentity(panel_id="P", nameplate=plate or Nameplate())
    evidence = Evidence(inspection_id="i", panel=panel, safety=safety)
    return extract(
        Analysed(evidence=evidence, iv=result, el=None, iv_fault="none", el_fault="not_measured")
    )


@pytest.mark.parametrize(
    ("voltage", "cells", "works"),
    [
        (1.5, 60, True),  # three Schottky diodes
        (2.6, 72, True),  # three p-n diodes
        (0.5, 18, True),
        (1.0, 60, False),  # one of three is shorted
        (0.5, 36, False),  # one of two
        (0.0, 60, False),  # the leads are shorted
        (12.0, 60, False),  # one is open: the source's limit
        (1.5, None, None),
        (None, 60, None),
    ],
)
def test_bypass_diodes_are_held_against_their_number(voltage, cells, works):
    plate = Nameplate(cells_in_series=cells)
    assert bypass_diodes_work(SafetyRecord(bypass_voltage=voltage), plate) is works


def test_what_was_judged_elsewhere_stands():
    safety = SafetyRecord(bypass_diodes_ok=False, bypass_voltage=1.5)
    assert bypass_diodes_work(safety, Nameplate(cells_in_series=60)) is False


@pytest.mark.parametrize(
    ("cells", "v_oc", "diodes"),
    [
        (36, 21.7, 2),
        (54, 33.0, 3),
        (60, 37.5, 3),
        (72, 44.0, 3),
        (96, 69.7, 3),  # heterojunction
        (120, 39.48, 3),  # a half-cut module, of which the list counts the halves
        (144, 48.1, 3),
        (96, None, 3),
        (144, None, None),
        (118, 59.0, None),  # thin film
        (48, 47.4, None),  # the list is wrong: nearly 1 V a cell
    ],
)
def test_number_of_bypass_diodes_follows_from_the_nameplate(cells, v_oc, diodes):
    assert bypass_diodes(Nameplate(cells_in_series=cells, v_oc=v_oc)) == diodes


@pytest.mark.parametrize("cells", [60, None])
def test_a_source_at_its_limit_is_an_open_diode_whatever_its_voltage(cells):
    """A source that gives 2 V at most stays within what three diodes may show."""
    open_one = SafetyRecord(bypass_voltage=2.0, bypass_current=0.03, bypass_test_current=8.5)
    assert bypass_diodes_work(open_one, Nameplate(cells_in_series=cells)) is False


@given(
    voltage=st.floats(0, 12),
    driven=st.floats(0, 9),
    cells=st.none() | st.integers(1, 400),
    v_oc=st.none() | st.floats(1, 150),
)
def test_no_bypass_measurement_goes_unjudged(voltage, driven, cells, v_oc):
    """Whatever was measured, the rules pass it, reject it, or hold it: never are they silent."""
    safety = SafetyRecord(bypass_voltage=voltage, bypass_current=driven, bypass_test_current=9.0)
    plate = Nameplate(cells_in_series=cells, v_oc=v_oc)
    found = {f.rule: f.outcome for f in apply(RULES, features(safety=safety, plate=plate))}
    works = bypass_diodes_work(safety, plate)
    outcome = {True: Outcome.PASS, False: Outcome.REJECT, None: None}[works]
    assert found.get("bypass_diodes") is outcome
    assert found["bypass_judged"] is (Outcome.HOLD if works is None else Outcome.PASS)
    if driven < 8 or not 0.3 < voltage < 5:
        assert works is not True


@pytest.mark.parametrize(
    ("product", "outcome"),
    [(None, None), (39.0, Outcome.REJECT), (41.0, Outcome.PASS), (0.0, Outcome.REJECT)],
)
def test_wet_leakage_counts_by_area_and_only_where_it_was_tested(product, outcome):
    wet = None if product is None else product / 1.64
    found = apply(
        RULES,
        features(safety=SafetyRecord(wet_leakage_resistance=wet), plate=Nameplate(area=1.64)),
    )
    assert {f.rule: f.outcome for f in found}.get("wet_leakage") is outcome


@pytest.mark.parametrize(
    ("codes", "outcome"), [((), Outcome.PASS), (("current_limited",), Outcome.HOLD)]
)
def test_a_weak_cell_that_limits_the_current_is_held(codes, outcome):
    (found,) = (f for f in apply(RULES, features(*codes)) if f.rule == "current_limited")
    assert found.outcome is outcome


def test_nothing_passes_on_features_that_are_missing():
    assert verdict(RULES, apply(RULES, {}))[0] is not Outcome.PASS
