"""History, inspection and panel pages, in a real browser."""

import re
from dataclasses import replace

import pytest

from grading.values import Nameplate, Outcome
from station.ports import VisitEvent

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


@pytest.fixture
def sixty(archive, report):
    """Sixty small records, a minute apart, of two makers; every third is rejected."""
    for number in range(60):
        plain = report(
            f"20261123T10{number:02}00000-ZK{number:06}-station-1",
            measured_at=f"2026-11-23T10:{number:02}:00.000+00:00",
            verdict=Outcome.PASS if number % 3 else Outcome.REJECT,
            grade="B" if number % 3 else None,
            destination="stock" if number % 3 else "recycler",
            reasons=() if number % 3 else ("power_low",),
        )
        plate = Nameplate(maker=("Solarwatt", "Suntech")[number % 2], model="P 250", p_mp=250.0)
        panel = replace(plain.panel, panel_id=f"ZK{number:06}", nameplate=plate)
        archive.records.record(replace(plain, panel=panel), ())
    return archive


# --- the history ---------------------------------------------------------------------------------


def test_the_history_of_nothing(archive, look):
    page = look(f"{archive.url}/history", locale="en-GB")
    expect(page.locator(".list")).to_contain_text("No panels measured yet")


def test_the_newest_stand_first_and_more_follow_on_request(sixty, look):
    page = look(f"{sixty.url}/history", locale="en-GB")
    rows = page.locator("tbody tr:not(.more)")
    expect(rows).to_have_count(50)
    expect(rows.first).to_contain_text("ZK000059")
    page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(60)
    expect(rows.last).to_contain_text("ZK000000")
    assert len(set(page.locator("tbody .panel-id").all_inner_texts())) == 60
    expect(page.locator("tbody .more")).to_have_count(0)


def test_filters_narrow_and_go_along_to_the_next_page(sixty, look):
    page = look(f"{sixty.url}/history", locale="en-GB")
    page.select_option("[name=verdict]", "reject")
    page.fill("[name=maker]", "Suntech")
    page.select_option("[name=reason]", "power_low")
    page.get_by_role("button", name="Search").click()
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(10)
    for row in rows.all():
        assert "REJECT" in row.inner_text()
        assert "Suntech" in row.inner_text()
    expect(page.locator("[name=maker]")).to_have_value("Suntech")
    page.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(51)  # fifty, and the way to more


def test_days_are_those_of_the_place(sixty, look):
    page = look(f"{sixty.url}/history?first_day=2026-11-23&last_day=2026-11-23", locale="en-GB")
    expect(page.locator("tbody tr:not(.more)")).to_have_count(50)
    page.goto(f"{sixty.url}/history?first_day=2026-11-25")
    expect(page.locator(".list")).to_contain_text("No panels found")


def test_totals_lead_to_their_verdicts(sixty, look):
    page = look(f"{sixty.url}/history", locale="en-GB")
    rejected = page.locator(".total.verdict-reject")
    expect(rejected).to_contain_text("20")
    expect(rejected).to_contain_text("33 %")
    rejected.click()
    expect(page.locator("tbody tr")).to_have_count(20)


@pytest.mark.parametrize("query", ["cursor=nonsense", "first_day=yesterday", "maker=%00"])
def test_what_no_page_of_ours_asks_is_refused(archive, browser, query):
    context = browser.new_context()
    answer = context.request.get(f"{archive.url}/history?{query}")
    assert answer.status == 422
    assert answer.headers["content-type"] == "application/problem+json"
    context.close()


# --- one inspection ------------------------------------------------------------------------------


def test_an_inspection_shows_all_that_its_verdict_stands_on(product, judged, look):
    product.records.override(
        judged.inspection_id,
        outcome=Outcome.HOLD,
        grade=None,
        destination="hold",
        by="Bob",
        reason="Wrong nameplate",
        version=1,
    )
    page = look(f"{product.url}/inspections/{judged.inspection_id}", locale="en-GB")
    findings = page.locator(".findings tbody tr")
    expect(findings).to_have_count(len(judged.findings))
    power = next(f for f in judged.findings if f.rule == "power")
    line = findings.filter(has_text="Power against nameplate")
    expect(line).to_contain_text(f"{power.value:.3f} ± {power.expanded_uncertainty:.3f}")
    expect(line).to_contain_text("≥ 0.7")
    stc = judged.iv.stc
    expect(page.locator(".details")).to_contain_text(f"{stc.p_mp:.1f} ± {2 * stc.u_p_mp:.1f} W")
    verdicts = page.locator(".verdicts li")
    expect(verdicts).to_have_count(2)
    expect(verdicts.first).to_contain_text("graded")
    expect(verdicts.last).to_contain_text("overridden by Bob")
    expect(verdicts.last).to_contain_text("Wrong nameplate")
    for file in judged.evidence:
        expect(page.locator(".hashes")).to_contain_text(file.sha256)
    kept = page.request.get(f"{product.url}{page.locator('.hashes a').first.get_attribute('href')}")
    assert kept.ok
    page.locator(".zoomable").click()
    expect(page.locator("dialog.zoom img")).to_have_js_property("complete", True)
    page.locator("dialog.zoom [data-close]").click()


def test_the_dutch_write_a_comma(product, judged, look):
    page = look(f"{product.url}/inspections/{judged.inspection_id}")
    line = page.locator(".findings tbody tr", has_text="Vermogen tegen typeplaatje")
    expect(line).to_contain_text(re.compile(r"\d,\d{3} ± \d,\d{3}\s*≥ 0,7"))


def test_an_override_on_the_page_of_an_inspection(product, judged, look):
    page = look(f"{product.url}/inspections/{judged.inspection_id}", locale="en-GB")
    page.click("[data-open-override]")
    page.click("dialog.override label:has([value=retest])")
    page.get_by_role("button", name="Measured again").click()
    page.fill("dialog.override [name=by]", "Ann")
    page.click("[data-save]")
    expect(page.locator(".tile")).to_contain_text("Measured again (Ann)")
    expect(page.locator(".verdicts li")).to_have_count(2)


def test_moments_are_told_by_the_clock_of_the_place(archive, report, browser, look):
    history = (VisitEvent(phase="wash", at="2026-11-23T23:30:00.000+00:00"),)
    archive.records.record(report(), history)
    context = browser.new_context(locale="nl-NL", timezone_id="Europe/Amsterdam")
    page = context.new_page()
    page.goto(f"{archive.url}/inspections/{report().inspection_id}")
    expect(page.locator(".journey")).to_contain_text("00:30:00")
    context.close()


def test_an_inspection_that_is_not_there(archive, look):
    page = look(f"{archive.url}/inspections/20200101T000000000-X-1", locale="en-GB")
    expect(page.locator("h1")).to_have_text("Not found")


# --- one panel -----------------------------------------------------------------------------------


def test_a_panel_shows_its_newest_inspection_and_the_way_to_the_others(archive, report, look):
    for hour in (9, 11):
        name = f"20261123T{hour:02}0000000-ZK000001-station-1"
        archive.records.record(
            report(name, measured_at=f"2026-11-23T{hour:02}:00:00.000+00:00"), ()
        )
    page = look(f"{archive.url}/panels/ZK000001", locale="en-GB")
    expect(page.locator(".result")).to_have_attribute("data-inspection", re.compile("T11"))
    links = page.locator(".links a[href^='/inspections/']")
    expect(links).to_have_count(2)
    links.last.click()
    expect(page.locator(".result")).to_have_attribute("data-inspection", re.compile("T09"))


def test_a_panel_that_was_never_here(archive, look):
    page = look(f"{archive.url}/panels/ZK999999", locale="en-GB")
    expect(page.locator("main")).to_contain_text("ZK999999")
    expect(page.locator("h1")).to_have_text("Not found")
