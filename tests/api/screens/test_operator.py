"""The operator's screen, in a real browser with a line in memory."""

from dataclasses import replace

import pytest

from api.screens.language import texts
from station.ports import AlarmView, LineCommand, LineState, SafetyTest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser

FULL_HD, SMALL = (1920, 1080), (1280, 800)
SETTLED = 360  # ms, after which a press on something new counts; see zonkeur.js
WORDS = {
    "nl-NL": {"pass": "GOED", "reject": "AFGEKEURD", "retest": "OPNIEUW METEN"},
    "en-GB": {"pass": "PASS", "reject": "REJECT", "retest": "RETEST"},
}

ALARM = AlarmView(
    alarm_id="washer-tank_low",
    code="tank_low",
    device="washer",
    detail="The tank is at 9 %.",
    remedy="Fill it.",
    active=True,
    acknowledged=False,
    raised_at="2026-11-23T10:15:00.000+00:00",
)


def sizes(page, selector):
    return page.eval_on_selector_all(
        selector,
        """all => all.filter(e => e.checkVisibility()).map(e => {
          const { x, y, width, height, right, bottom } = e.getBoundingClientRect();
          return { name: e.id || e.className || e.textContent, x, y, width, height, right, bottom };
        })""",
    )


def settle(page):
    """Wait until a press on whatever the page shows is believed."""
    page.wait_for_function(
        """settled => [...document.querySelectorAll("button")].every(
          e => performance.now() - (e.dataset.appeared ?? 0) > settled)""",
        arg=SETTLED,
    )


# --- what it shows -------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", WORDS)
def test_the_verdict_names_its_panel_and_its_reasons(product, judged, look, locale):
    page = look(product.url, locale=locale)
    tile = page.locator(".tile")
    expect(tile).to_contain_text(judged.panel.panel_id)
    expect(tile).to_contain_text(WORDS[locale][judged.verdict.value])
    expect(tile.locator(".reasons li")).to_have_count(len(judged.reasons))
    assert page.locator("html").get_attribute("lang") == locale[:2]
    expect(page.locator(".chart canvas")).to_be_visible()
    picture = page.locator(".picture img")
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 100
    for part in (".plot h2", ".picture h2"):
        expect(page.locator(part)).to_contain_text(judged.panel.panel_id)


def test_a_new_verdict_takes_the_place_of_the_old(product, judged, second, look):
    page = look(product.url)
    expect(page.locator(".tile")).to_contain_text(judged.panel.panel_id)
    product.records.record(second, ())
    product.change(latest_inspection_id=second.inspection_id)
    expect(page.locator(".tile")).to_contain_text("ZK000777")
    expect(page.locator("#latest")).not_to_contain_text(judged.panel.panel_id)
    expect(page.locator("#spoken-verdict")).to_contain_text("ZK000777")


def test_a_verdict_of_another_station_is_not_shown_here(product, judged, second, look):
    product.records.record(second, ())  # newer, but not of this line
    page = look(product.url)
    expect(page.locator(".tile")).to_contain_text(judged.panel.panel_id)


def test_each_panel_is_where_it_is(product, at, look):
    product.change(visits=(at("wash", "ZK000011"), at("flash", "ZK000012", problem="late")))
    page = look(product.url)
    expect(page.locator(".place-wash")).to_contain_text("ZK000011")
    cabinet = page.locator(".place-cabinet")
    expect(cabinet).to_contain_text("ZK000012")
    expect(cabinet).to_contain_text("Flits")
    expect(cabinet.locator(".place svg")).to_be_visible()  # trouble has a mark, not colour alone
    product.change(visits=(at("rinse", "ZK000011"),))
    expect(page.locator(".place-rinse")).to_contain_text("ZK000011")
    expect(page.locator(".place-wash")).to_contain_text("vrij")


@pytest.mark.parametrize("step", SafetyTest)
def test_the_safety_test_that_is_going_on_is_told(product, at, look, step):
    product.change(visits=(replace(at("safety"), step=step.value),))
    page = look(product.url, locale="en-GB")
    said = texts()["safety_test"][step]["en"]
    expect(page.locator(".place-cabinet .phase")).to_have_text(f"Safety: {said}")


def test_nothing_measured_so_far(product, look):
    page = look(product.url)
    expect(page.locator(".waiting")).to_contain_text("Wacht op een paneel")


def test_while_the_first_panel_is_measured(product, at, look):
    product.change(visits=(at("flash"),))
    page = look(product.url)
    expect(page.locator(".waiting")).to_contain_text("Meting loopt")


def test_without_a_station_there_is_nothing_to_press(archive, look):
    page = look(archive.url, locale="en-GB")
    expect(page.locator(".no-station")).to_contain_text("No station connected")
    expect(page.locator("[data-command], #intake")).to_have_count(0)


def test_the_language_is_chosen_and_kept(product, look):
    page = look(product.url)
    page.get_by_role("link", name="EN", exact=True).click()
    expect(page.locator(".command-stop")).to_contain_text("Stop")
    expect(page.locator(".state")).to_contain_text("Ready")
    page.goto(f"{product.url}/history")
    expect(page.get_by_role("button", name="Search")).to_be_visible()


# --- for gloves ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [FULL_HD, SMALL])
def test_a_glove_finds_everything_and_nothing_scrolls(product, judged, back_sheet, at, look, size):
    route = at("route", judged.panel.panel_id, judged.inspection_id)
    product.change(questions=(back_sheet(),), alarms=(ALARM,), visits=(route,), outbox_depth=12)
    page = look(product.url, size=size)
    expect(page.locator(".question")).to_be_visible()
    small = [
        found
        for found in sizes(page, "button, a, input:not([type=radio])")
        if found["height"] < 64 or found["width"] < 64
    ]
    assert small == []
    outside = [
        found
        for found in sizes(page, "button, .tile, .question")
        if found["right"] > size[0] or found["bottom"] > size[1] or found["x"] < 0
    ]
    assert outside == []
    assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollHeight]") == [
        *size
    ]


def test_a_press_on_what_has_just_appeared_is_not_believed(product, back_sheet, look):
    page = look(product.url)
    page.evaluate(
        """() => new MutationObserver((_, watch) => {
          const sound = document.querySelector("[data-choice=sound]");
          if (!sound) return;
          watch.disconnect();
          setTimeout(() => { sound.click(); document.documentElement.dataset.tried = "1"; }, 0);
        }).observe(document.querySelector("#todo"), { childList: true })"""
    )
    product.change(questions=(back_sheet(),))
    expect(page.locator("html")).to_have_attribute("data-tried", "1")
    settle(page)
    assert product.called("answer") == []
    page.click("[data-choice=sound]")
    expect(page.locator(".question")).to_have_count(0)
    assert product.called("answer") == [("q1", ("sound",), "operator", None)]


def test_nothing_changes_under_a_finger_until_it_is_lifted(product, at, look):
    page = look(product.url)
    page.locator(".place-wash").hover()
    page.mouse.down()
    with page.expect_response("**/fragments/line"):
        product.change(visits=(at("wash", "ZK000011"),))
    expect(page.locator(".place-wash")).to_contain_text("vrij")
    page.mouse.up()
    expect(page.locator(".place-wash")).to_contain_text("ZK000011")


def test_a_finger_whose_lifting_was_not_seen_keeps_no_news_away(product, at, look):
    page = look(product.url)
    page.dispatch_event("body", "pointerdown")
    product.change(visits=(at("wash", "ZK000011"),))
    expect(page.locator(".place-wash")).to_contain_text("ZK000011", timeout=8_000)


# --- commanding the line -------------------------------------------------------------------------


def test_only_what_is_allowed_can_be_pressed(product, look):
    product.change(state=LineState.EXECUTE, allowed=(LineCommand.HOLD, LineCommand.STOP))
    page = look(product.url)
    expect(page.locator(".command-start")).to_be_disabled()
    expect(page.locator(".command-abort")).to_be_disabled()
    page.fill("#operator-name", "Ann")
    settle(page)
    page.click(".command-hold")
    expect(page.locator(".state")).to_contain_text("Vastgehouden")
    assert product.called("command") == [(LineCommand.HOLD, "Ann")]


def test_a_refusal_is_told(product, look):
    page = look(product.url)
    settle(page)
    product.station._now = replace(product.station._now, allowed=())  # unseen as yet
    page.click(".command-stop")
    expect(page.locator("#notice")).to_contain_text("cannot stop")


def test_alarms_are_told_in_words_and_acknowledged(product, look):
    product.change(alarms=(ALARM,))
    page = look(product.url)
    alarm = page.locator(".alarm")
    expect(alarm).to_contain_text("Wasmachine: tank bijna leeg")
    expect(alarm).to_contain_text("actief")
    expect(alarm).to_contain_text("Wat te doen: Vul de tank bij.")
    settle(page)
    alarm.get_by_role("button").click()
    expect(alarm).to_have_count(0)
    assert product.called("acknowledge") == [("washer-tank_low", "operator")]


def test_taken_to_its_destination(product, judged, at, look):
    product.change(visits=(at("route", judged.panel.panel_id, judged.inspection_id),))
    page = look(product.url)
    waiting = page.locator(".take-away")
    expect(waiting).to_contain_text(judged.panel.panel_id)
    expect(waiting).to_contain_text(WORDS["nl-NL"][judged.verdict.value])
    settle(page)
    waiting.get_by_role("button").click()
    expect(waiting).to_have_count(0)
    assert product.called("confirm_route") == [(judged.inspection_id, "operator")]
    expect(page.locator(".tile")).to_contain_text("weggebracht door operator")


# --- questions -----------------------------------------------------------------------------------


def test_damage_is_chosen_and_then_confirmed(product, back_sheet, look):
    product.change(questions=(back_sheet(),))
    page = look(product.url)
    expect(page.locator(".question")).to_contain_text("ZK000002")
    settle(page)
    expect(page.locator("[data-confirm]")).to_be_disabled()
    page.click("[data-choice=broken_glass]")
    page.click("[data-choice=frame_bent]")
    expect(page.locator("[data-choice=sound]")).to_be_disabled()
    page.click("[data-confirm]")
    expect(page.locator(".question")).to_have_count(0)
    assert product.called("answer") == [("q1", ("broken_glass", "frame_bent"), "operator", None)]


def test_what_was_chosen_outlives_other_news(product, back_sheet, look):
    product.change(questions=(back_sheet(),))
    page = look(product.url)
    settle(page)
    page.click("[data-choice=broken_glass]")
    product.change(alarms=(ALARM,))
    expect(page.locator(".alarm")).to_be_visible()
    expect(page.locator("[data-choice=broken_glass]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-choice=sound]")).to_be_disabled()
    expect(page.locator("[data-confirm]")).to_be_enabled()


def test_an_answer_goes_to_the_question_it_stands_under(product, back_sheet, look):
    first, other = back_sheet("ZK000002", "q1"), back_sheet("ZK000003", "q2")
    product.change(questions=(first, other))
    page = look(product.url)
    settle(page)
    page.locator(".question", has_text="ZK000003").locator("[data-choice=sound]").click()
    expect(page.locator(".question")).to_have_count(0)  # the line in memory forgets both
    assert [call[0] for call in product.called("answer")] == ["q2"]


def test_identity_mismatch_shows_what_was_read(product, back_sheet, look):
    question = replace(
        back_sheet("ZK000016"),
        kind="identity_mismatch",
        detail="The scanner read ZK000015; the panel that was tracked here is ZK000016.",
        choices=("scan_again", "hold_panel"),
        multiple=False,
    )
    product.change(questions=(question,))
    page = look(product.url)
    expect(page.locator(".question")).to_contain_text("Is dit het juiste paneel?")
    expect(page.locator(".question")).to_contain_text("ZK000015")
    settle(page)
    page.get_by_role("button", name="Paneel apart zetten").click()
    expect(page.locator(".question")).to_have_count(0)
    assert product.called("answer") == [("q1", ("hold_panel",), "operator", None)]
