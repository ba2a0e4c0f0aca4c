"""What a simulated panel's safety tests show follows from its condition, and is judged so."""

import pytest

from config.load import load_grading
from grading.feature import Analysed
from grading.features import extract
from grading.rules import apply
from grading.values import Evidence, Outcome, PanelIdentity, SafetyRecord
from simulators.population import Condition, make_panel

RULES = load_grading().rules
SAFETY = {rule.id for rule in RULES.rules if rule.stage == "safety"}
FAILS = {
    Condition.SHORTED_DIODE: {"bypass_diodes"},
    Condition.OPEN_DIODE: {"bypass_diodes"},
    Condition.WEAK_INSULATION: {"insulation", "wet_leakage"},
    Condition.LEAKS_WET: {"wet_leakage"},
}


@pytest.mark.parametrize("condition", Condition)
def test_each_condition_fails_its_own_tests_and_no_other(condition):
    for number in range(8):
        panel = make_panel(number, condition=condition)
        current = panel.nameplate.i_sc
        truth = SafetyRecord(
            insulation_resistance=panel.safety.insulation_resistance,
            wet_leakage_resistance=panel.safety.wet_leakage_resistance,
            ground_continuity=panel.safety.ground_continuity,
            bypass_voltage=panel.reverse_voltage(current=current),
            bypass_current=current,
            bypass_test_current=current,
        )
        identity = PanelIdentity(panel_id=panel.panel_id, nameplate=panel.nameplate)
        evidence = Evidence(inspection_id="i", panel=identity, safety=truth)
        seen = Analysed(evidence=evidence, iv=None, el=None, iv_fault="none", el_fault="none")
        safety = [f for f in apply(RULES, extract(seen)) if f.rule in SAFETY]
        assert len(safety) == len(SAFETY)
        failed = {f.rule for f in safety if f.outcome is Outcome.REJECT}
        assert failed == FAILS.get(condition, set())
        assert {f.outcome for f in safety} <= {Outcome.PASS, Outcome.REJECT}
