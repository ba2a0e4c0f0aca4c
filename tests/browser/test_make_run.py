"""The product as a new user starts it: ``make run``, seen in a real browser."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

playwright = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).parents[2]
ARTEFACTS = ROOT / "artefacts"
CHROMIUM = shutil.which("chromium")
REAL = re.compile(r"(MITSUBISHI|SUNSVOC)-\d+")
START = 120.0  # s, for the product to answer
PASS = 120_000  # ms, for a panel to pass the line

pytestmark = [
    pytest.mark.browser,
    pytest.mark.line,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def product(tmp_path_factory):
    """``make run`` in its own data folder; its address once it printed it."""
    port = free_port()
    command = ["make", "--no-print-directory", "run", f"PORT={port}", "REPLAY="]
    command.append(f"DATA={tmp_path_factory.mktemp('var')}")
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
    )
    said, ready = [], threading.Event()

    def listen():
        for line in process.stdout:
            said.append(line)
            if "Zonkeur is at" in line:
                ready.set()

    reader = threading.Thread(target=listen)
    reader.start()
    try:
        assert ready.wait(START), "".join(said)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(20)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            reader.join()
            process.stdout.close()
    assert not [line for line in said if "Traceback" in line], "".join(said)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--no-first-run",
                "--disable-gpu",
            ],
        )
        yield opened
        opened.close()


def test_a_really_measured_panel_passes_from_intake_to_verdict(product, browser):
    ARTEFACTS.mkdir(exist_ok=True)
    page = browser.new_page(viewport={"width": 1920, "height": 1080}, locale="en-GB")
    foreign, faults = [], []
    page.on("request", lambda r: foreign.append(r.url) if not r.url.startswith(product) else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(product)
    on_the_line = page.locator("#line .panel-id", has_text=REAL).first
    on_the_line.wait_for(timeout=PASS)
    panel = on_the_line.inner_text()
    page.screenshot(path=ARTEFACTS / "operator-on-the-line.png")

    tile = page.locator(".tile .panel-id", has_text=panel).first
    tile.wait_for(timeout=PASS)
    assert page.locator(".tile").inner_text().strip()
    page.locator(".chart canvas").wait_for(timeout=20_000)
    picture = page.locator(".picture img").first
    playwright.expect(picture).to_have_js_property("complete", value=True, timeout=20_000)
    assert picture.evaluate("image => image.naturalWidth") > 0
    page.screenshot(path=ARTEFACTS / "operator-verdict.png")

    answer = page.request.get(f"{product}/api/inspections?panel_id={panel}")
    (record, *_) = answer.json()["items"]
    detail = page.request.get(f"{product}/api/inspections/{record['inspection_id']}").json()
    assert detail["report"]["panel"]["panel_id"] == panel
    assert {f["name"] for f in detail["report"]["evidence"]} >= {"iv.csv", "el.tif", "panel.toml"}
    assert detail["report"]["iv"]["stc"]["p_mp"] > 50

    page.goto(f"{product}/inspections/{record['inspection_id']}")
    page.screenshot(path=ARTEFACTS / "inspection.png", full_page=True)
    page.goto(f"{product}/history")
    assert panel in page.inner_text("table")
    page.screenshot(path=ARTEFACTS / "history.png")
    page.close()
    assert not foreign
    assert not faults
