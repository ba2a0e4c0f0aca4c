"""Signing in on a touchscreen: no keyboard, gloves, two languages."""

import asyncio
import shutil
import socket
import threading
from contextlib import closing

import pytest
import uvicorn

from api.access import Role
from api.app import create_app
from api.records import Records

playwright = pytest.importorskip("playwright.sync_api")

CHROMIUM = shutil.which("chromium")
PIN = "73105946"
SETTLED = 400  # ms after loading, see zonkeur.js
SCREENS = [(1280, 800), (1080, 1920)]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


class Line:
    """A line on which nothing happens."""

    def __getattr__(self, name):
        raise AssertionError(f"nobody may {name} without signing in")


@pytest.fixture
def service(tmp_path):
    """A records service that asks people to sign in; its address and its accounts."""
    with closing(Records(f"sqlite:///{tmp_path / 'records.sqlite'}")) as records:
        app = create_app(records=records, station=Line(), evidence_dir=tmp_path, build_id="b")
        store = app.state.guard.store
        store.create("Ann", Role.OPERATOR, by="test", pin=PIN)
        store.create("Max", Role.MANAGER, by="test", pin="91736402")
        store.create("Pat", Role.PARTNER, by="test", pin="58203917")
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1)
        )
        with socket.create_server(("127.0.0.1", 0)) as listener:
            thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
            thread.start()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", store
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser):
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, has_touch=True, locale="nl-NL"
    )
    yield context.new_page()
    context.close()


def touch_pin(page, pin):
    for digit in pin:
        page.tap(f"[data-digit='{digit}']")
    page.tap("[data-enter]")


@pytest.mark.parametrize("size", SCREENS)
def test_everything_to_touch_is_large_enough_for_gloves_and_on_the_screen(page, service, size):
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"{service[0]}/sign-in")
    boxes = [each.bounding_box() for each in page.locator("button, a").all()]
    assert len(boxes) == 12 + 2 + 2
    assert min(min(box["width"], box["height"]) for box in boxes) >= 48
    assert max(box["y"] + box["height"] for box in boxes) <= size[1]
    assert max(box["x"] + box["width"] for box in boxes) <= size[0]


def test_a_name_and_a_pin_are_touched(page, service):
    page.goto(f"{service[0]}/history?maker=Solarwatt")
    assert page.url.startswith(f"{service[0]}/sign-in")
    assert page.locator("[data-name='Pat']").count() == 0  # partners do not stand at the line
    page.tap("[data-name='Ann']")
    touch_pin(page, "00000000")
    assert "klopt niet" in page.text_content("#said:not(:empty)")
    touch_pin(page, PIN)
    page.wait_for_url(f"{service[0]}/history?maker=Solarwatt")
    assert "Ann" in page.text_content(".signed-in")
    while page.evaluate("performance.now()") < SETTLED:
        pass  # what has just appeared takes no press
    page.tap("[data-sign-out]")
    page.wait_for_url(f"{service[0]}/sign-in")
    page.goto(f"{service[0]}/history")
    assert page.url.startswith(f"{service[0]}/sign-in")


def test_a_pin_without_a_name_asks_for_one(page, service):
    page.goto(f"{service[0]}/sign-in")
    touch_pin(page, PIN)
    assert "Kies een naam" in page.text_content("#said:not(:empty)")


def test_a_badge_that_a_scanner_types_signs_in(page, service):
    address, store = service
    badge = store.issue_badge("Max", by="test")
    page.goto(f"{address}/sign-in?to=/figures")
    page.keyboard.type(badge)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{address}/figures")
    assert "Max" in page.text_content(".signed-in")


def test_the_next_shift_takes_over_by_a_badge_on_any_page(page, service):
    address, store = service
    page.goto(f"{address}/sign-in?to=/history")
    page.tap("[data-name='Ann']")
    touch_pin(page, PIN)
    page.wait_for_url(f"{address}/history")
    page.keyboard.type(store.issue_badge("Max", by="test"))
    page.keyboard.press("Enter")
    page.wait_for_selector(".signed-in b:text('Max')")


def test_a_partner_types_a_name_and_sees_figures_alone(page, service):
    page.goto(f"{service[0]}/sign-in?to=/history")
    page.fill("#name", "Pat")
    touch_pin(page, "58203917")
    page.wait_for_url(f"{service[0]}/figures")
    assert page.locator("header nav a[href='/history']").count() == 0


def test_both_languages(page, service):
    page.goto(f"{service[0]}/sign-in")
    assert page.text_content("h1") == "Wie bent u?"
    page.tap("[lang='en'] >> nth=-1")
    page.wait_for_selector("h1:text('Who are you?')")
    assert page.text_content("[data-enter]") == "Sign in"
