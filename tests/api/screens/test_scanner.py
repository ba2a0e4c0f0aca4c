"""A barcode scanner that types, in a real browser with a line in memory."""

import time

import pytest

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.browser


def scan(page, code, gap=0.005):
    """Keystrokes ``gap`` seconds apart by their own time stamps, however busy the machine is."""
    devtools = page.context.new_cdp_session(page)
    started = time.time()
    keys = [{"key": sign, "text": sign} for sign in code]
    keys.append({"key": "Enter", "text": "\r", "windowsVirtualKeyCode": 13})
    for number, key in enumerate(keys):
        stamped = {**key, "timestamp": started + gap * number}
        devtools.send("Input.dispatchKeyEvent", {"type": "keyDown", **stamped})
        devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", **stamped})
    devtools.detach()


def test_a_scan_is_an_intake_wherever_the_focus_is(product, look):
    page = look(product.url)
    page.fill("#operator-name", "Ann")
    page.wait_for_timeout(100)  # nobody scans as soon as they typed
    scan(page, "ZK000099")
    expect(page.locator("#notice")).to_contain_text("ZK000099 is ingenomen")
    assert page.input_value("#operator-name") == "Ann"
    page.focus(".command-stop")
    page.wait_for_timeout(100)
    scan(page, "ZK000100")
    expect(page.locator("#notice")).to_contain_text("ZK000100")
    assert [call[0] for call in product.called("intake")] == ["ZK000099", "ZK000100"]
    assert product.called("command") == []


def test_what_a_person_types_is_no_scan(product, look):
    page = look(product.url)
    page.focus("#operator-name")
    scan(page, "Annemarie", gap=0.09)
    assert page.input_value("#operator-name") == "Annemarie"
    assert product.called("intake") == []


def test_a_barcode_can_be_typed(product, look):
    page = look(product.url)
    page.locator("#barcode").press_sequentially("ZK000101", delay=5)
    page.keyboard.press("Enter")
    expect(page.locator(".place-intake")).to_contain_text("ZK000101")
    assert page.input_value("#barcode") == ""
    assert len(product.called("intake")) == 1


def test_a_refused_scan_is_told(product, at, look):
    product.change(visits=(at("wash", "ZK000011"),))
    page = look(product.url)
    scan(page, "ZK000011")
    expect(page.locator("#notice")).to_contain_text("is on the line already")


def test_a_scan_saves_no_override_that_is_being_written(product, judged, look):
    page = look(product.url)
    page.click("[data-open-override]")
    page.click("dialog.override label:has([value=hold])")
    page.fill("dialog.override [name=reason]", "Frame bent in transport")
    page.fill("dialog.override [name=by]", "Ann")
    page.wait_for_timeout(100)
    scan(page, "ZK000102")
    expect(page.locator("dialog.override")).to_be_visible()
    assert page.input_value("dialog.override [name=by]") == "Ann"
    assert len(product.records.inspection(judged.inspection_id).verdicts) == 1


def test_the_model_of_a_lot_is_typed_once(product, look):
    page = look(product.url)
    page.fill("#module", "Suntech STP280-24/Vd")
    page.locator("#module").blur()
    page.reload()
    page.wait_for_timeout(100)
    scan(page, "ZK000102")
    expect(page.locator(".place-intake")).to_contain_text("ZK000102")
    ((_, _, plate, _),) = product.called("intake")
    assert (plate.p_mp, plate.cells_in_series) == (pytest.approx(280, abs=1), 72)


def test_an_unknown_model_takes_nothing_in_and_says_what_may_be_meant(product, look):
    page = look(product.url)
    page.fill("#module", "Trina TSM-9999")
    page.fill("#barcode", "ZK000103")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("Trina TSM-9999")
    assert page.input_value("#barcode") == "ZK000103"
    assert product.called("intake") == []
