"""Overriding a verdict, in a real browser with a line in memory."""

import pytest

from grading.values import Outcome

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def fill_override(page, outcome="hold", reason="Frame bent in transport", by="Ann"):
    page.click("[data-open-override]")
    page.click(f"dialog.override label:has([value={outcome}])")
    page.fill("dialog.override [name=reason]", reason)
    page.fill("dialog.override [name=by]", by)


def test_an_override_stands_beside_the_verdict_with_its_reason(product, judged, look):
    page = look(product.url)
    fill_override(page)
    page.click("[data-save]")
    expect(page.locator(".tile")).to_contain_text("APART ZETTEN")
    expect(page.locator(".tile")).to_contain_text("Frame bent in transport (Ann)")
    first, override = product.records.inspection(judged.inspection_id).verdicts
    assert (first.outcome, first.source, first.current) == (judged.verdict, "graded", False)
    assert (override.outcome, override.by, override.current) == ("hold", "Ann", True)


@pytest.mark.parametrize("missing", [{"reason": ""}, {"by": ""}])
def test_an_override_needs_a_reason_and_a_name(product, judged, look, missing):
    page = look(product.url)
    fill_override(page, **missing)
    page.click("[data-save]")
    expect(page.locator("dialog.override")).to_be_visible()
    assert len(product.records.inspection(judged.inspection_id).verdicts) == 1


def test_a_pass_by_hand_needs_a_grade(product, judged, look):
    page = look(product.url)
    fill_override(page, "pass")
    page.click("[data-save]")
    expect(page.locator("dialog.override")).to_be_visible()
    page.click("dialog.override .grades label:has([value=B])")
    page.click("[data-save]")
    expect(page.locator("dialog.override")).to_be_hidden()
    assert product.records.inspection(judged.inspection_id).current.grade == "B"


def test_of_two_overrides_the_second_is_told_of_the_first(product, judged, look):
    page = look(product.url)
    fill_override(page, "reject")
    product.records.override(
        judged.inspection_id,
        outcome=Outcome.RETEST,
        grade=None,
        destination="retest",
        by="Bob",
        reason="Lamp was replaced",
        version=1,
    )
    page.click("[data-save]")
    expect(page.locator("#notice")).to_contain_text("Iemand anders")
    expect(page.locator(".tile")).to_contain_text("OPNIEUW METEN")
    assert product.records.inspection(judged.inspection_id).current.by == "Bob"


def test_an_open_dialog_stays_with_its_panel(product, judged, second, look):
    page = look(product.url)
    fill_override(page)
    product.records.record(second, ())
    with page.expect_response("**/fragments/latest"):
        product.change(latest_inspection_id=second.inspection_id)
    expect(page.locator("dialog.override")).to_contain_text(judged.panel.panel_id)
    page.click("[data-save]")
    expect(page.locator(".tile")).to_contain_text("ZK000777")
    assert product.records.inspection(judged.inspection_id).current.outcome == "hold"
    assert len(product.records.inspection(second.inspection_id).verdicts) == 1


def test_a_verdict_changed_elsewhere_reaches_the_screen(product, judged, look):
    page = look(product.url)
    expect(page.locator(".tile")).to_be_visible()
    product.records.override(
        judged.inspection_id,
        outcome=Outcome.HOLD,
        grade=None,
        destination="hold",
        by="Bob",
        reason="Wrong nameplate",
        version=1,
    )
    expect(page.locator(".tile")).to_contain_text("Wrong nameplate (Bob)")
