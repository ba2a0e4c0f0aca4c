import pytest

from config.load import load_grading
from grading.feature import Analysed
from grading.features import extract
from grading.features.safety import bypass_diodes_work
from grading.rules import apply, verdict
from grading.values import (
    BypassSteps,
    Evidence,
    Finding,
    IVResult,
    KeyFigures,
    Outcome,
    PanelIdentity,
    SafetyRecord,
    Severity,
)

FIGURES = KeyFigures(i_sc=8.6, v_oc=37.5, i_mp=8.1, v_mp=30, p_mp=243, fill_factor=0.75)


def features(*codes):
    found = tuple(Finding(code=code, severity=Severity.WARNING, detail="") for code in codes)
    result = IVResult(measured=FIGURES, model=None, steps=BypassSteps(), stc=None, findings=found)
    evidence = Evidence(inspection_id="i", panel=PanelIdentity(panel_id="P"))
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
    assert bypass_diodes_work(SafetyRecord(bypass_voltage=voltage), cells) is works


def test_what_was_judged_elsewhere_stands():
    assert bypass_diodes_work(SafetyRecord(bypass_diodes_ok=False, bypass_voltage=1.5), 60) is False


@pytest.mark.parametrize(
    ("codes", "outcome"), [((), Outcome.PASS), (("current_limited",), Outcome.HOLD)]
)
def test_a_weak_cell_that_limits_the_current_is_held(codes, outcome):
    book = load_grading().rules
    (found,) = (f for f in apply(book, features(*codes)) if f.rule == "current_limited")
    assert found.outcome is outcome


def test_nothing_passes_on_features_that_are_missing():
    book = load_grading().rules
    assert verdict(book, apply(book, {}))[0] is not Outcome.PASS
