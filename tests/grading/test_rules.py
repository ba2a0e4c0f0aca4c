import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import load_grading
from grading.feature import Feature
from grading.features import UNITS
from grading.rules import (
    Condition,
    Grade,
    Rule,
    RuleBook,
    apply,
    faults,
    grade_of,
    verdict,
)
from grading.values import Outcome

BOOK = load_grading().rules

GOOD = {
    "visual_defects": 0.0,
    "nameplate_known": True,
    "identity_confirmed": True,
    "image_of_this_panel": True,
    "insulation_area_product": 800.0,
    "ground_continuity": 0.02,
    "iv_fault": "none",
    "el_fault": "none",
    "nameplate_ratio": (0.95, 0.01),
    "bypass_steps": 0.0,
    "cells_cracked": 0.0,
    "cells_dark": 0.0,
    "inactive_fraction_worst_cell": 0.0,
}


def features(**changes):
    merged = {k: v for k, v in (GOOD | changes).items() if v is not None}
    return {
        name: Feature(
            name=name,
            value=value[0] if isinstance(value, tuple) else value,
            u=value[1] if isinstance(value, tuple) else None,
        )
        for name, value in merged.items()
    }


def judged(**changes):
    found = features(**changes)
    outcome, reasons = verdict(BOOK, apply(BOOK, found))
    return outcome, reasons, grade_of(BOOK, found)


def test_a_good_panel_passes_in_the_best_class():
    assert judged() == (Outcome.PASS, (), "A")


@pytest.mark.parametrize(
    ("changes", "outcome", "reason"),
    [
        ({"visual_defects": 1.0}, "reject", "visual_defect"),
        ({"visual_defects": None}, "hold", "visual_not_checked"),
        ({"nameplate_known": False}, "hold", "nameplate_unknown"),
        ({"identity_confirmed": False}, "hold", "identity_mismatch"),
        ({"image_of_this_panel": False}, "hold", "image_of_another_panel"),
        ({"insulation_area_product": 39.9}, "reject", "insulation_low"),
        ({"insulation_area_product": None}, "hold", "insulation_not_measured"),
        ({"ground_continuity": 0.4}, "reject", "ground_open"),
        ({"iv_fault": "truncated"}, "retest", "curve_not_sound"),
        ({"el_fault": "saturated"}, "retest", "image_not_sound"),
        ({"nameplate_ratio": (0.60, 0.01)}, "reject", "power_low"),
        ({"nameplate_ratio": (0.705, 0.01)}, "retest", "power_low"),
        ({"nameplate_ratio": None}, "retest", "power_not_known"),
        ({"nameplate_ratio": (1.25, 0.01)}, "hold", "power_implausible"),
        ({"inactive_fraction_worst_cell": 0.3}, "reject", "cell_area_lost"),
        ({"cells_dark": 1.0}, "reject", "dark_cell"),
        ({"bypass_steps": 1.0}, "reject", "substring_lost_current"),
    ],
)
def test_each_fault_has_its_outcome_and_reason(changes, outcome, reason):
    got, reasons, _ = judged(**changes)
    assert got is Outcome(outcome)
    assert reason in reasons


def test_a_broken_panel_is_rejected_without_any_measurement():
    found = features(**dict.fromkeys(GOOD, None) | {"visual_defects": 2.0})
    assert verdict(BOOK, apply(BOOK, found)) == (Outcome.REJECT, ("visual_defect",))


def test_what_cannot_be_trusted_outweighs_a_rejection_in_its_stage():
    outcome, reasons, _ = judged(nameplate_ratio=(0.5, 0.01), inactive_fraction_worst_cell=None)
    assert outcome is Outcome.RETEST
    assert reasons == ("image_not_sound",)


@given(st.sets(st.sampled_from(sorted(GOOD)), min_size=1))
def test_no_panel_passes_without_every_measurement_that_counts(missing):
    optional = {"identity_confirmed", "cells_cracked"}
    outcome, _, _ = judged(**dict.fromkeys(missing))
    assert (outcome is Outcome.PASS) == (missing <= optional)


@given(ratio=st.floats(0.0, 2.0), u=st.floats(0.0, 0.2))
def test_classes_are_ordered_and_guarded(ratio, u):
    outcome, _, grade = judged(nameplate_ratio=(ratio, u))
    if grade == "A":
        assert ratio >= 0.90 + 1.6 * u
    if outcome is Outcome.PASS:
        assert ratio >= 0.70 + 1.6 * u
        assert grade in ("A", "B", "C")


def with_rule(**changes):
    rule = dataclasses.replace(BOOK.rules[0], **changes)
    return dataclasses.replace(BOOK, rules=(rule, *BOOK.rules[1:]))


def rule(name, **limit):
    return Rule(
        id=name,
        stage="visual",
        condition=Condition(feature="age", **limit),
        otherwise=Outcome.REJECT,
        reason="visual_defect",
        source="test",
    )


@pytest.mark.parametrize(
    ("book", "says"),
    [
        (with_rule(condition=Condition(feature="colour", at_most=1)), "'colour', which does not"),
        (with_rule(condition=Condition(feature="age")), "exactly one of"),
        (with_rule(stage="nowhere"), "'nowhere', which is not listed"),
        (with_rule(reason="no_text"), "'no_text', which has no text"),
        (with_rule(otherwise=Outcome.PASS), "does not meet it"),
        (with_rule(missing=Outcome.PASS), "was not measured"),
        (with_rule(id=BOOK.rules[1].id), "two rules are called"),
        (dataclasses.replace(BOOK, false_accept=0.7), "between 0 and 0.5"),
        (dataclasses.replace(BOOK, destinations={}), "no destination"),
        (
            dataclasses.replace(
                BOOK, rules=tuple(r for r in BOOK.rules if r.condition.feature != "iv_fault")
            ),
            "no rule stops a panel on iv_fault",
        ),
        (
            dataclasses.replace(
                BOOK, rules=(*BOOK.rules, rule("x", at_least=30), rule("y", at_most=20))
            ),
            "limits on age contradict",
        ),
        (
            dataclasses.replace(
                BOOK,
                grades=(
                    BOOK.grades[0],
                    Grade(
                        name="A+",
                        conditions=(
                            Condition(feature="nameplate_ratio", at_least=0.99),
                            Condition(feature="cells_cracked", at_most=0),
                            Condition(feature="inactive_fraction_worst_cell", at_most=0.01),
                        ),
                    ),
                    BOOK.grades[-1],
                ),
            ),
            "A+ is never given: A takes",
        ),
        (dataclasses.replace(BOOK, grades=BOOK.grades[:1]), "last grade must have no conditions"),
    ],
)
def test_a_bad_rule_file_is_found_when_loading(book: RuleBook, says):
    found = list(faults(book, UNITS))
    assert any(says in fault for fault in found), found


def test_the_shipped_rules_have_no_fault_and_each_limit_has_a_source():
    assert list(faults(BOOK, UNITS)) == []
    assert all(rule.source for rule in BOOK.rules)
    assert all(text.nl and text.en and text.nl != text.en for text in BOOK.reasons.values())
