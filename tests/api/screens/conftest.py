"""A service in its own thread, and a real browser that watches it."""

import asyncio
import contextlib
import shutil
import socket
import threading
from concurrent.futures import Future
from dataclasses import replace

import pytest
import uvicorn

from api.app import create_app
from evidence.store import seal
from station.ports import Phase, Question, VisitView

CHROMIUM = shutil.which("chromium")
FULL_HD, SMALL = (1920, 1080), (1280, 800)


class Product:
    """The service with a line in memory; the test's thread talks to it by these verbs."""

    demo = True

    def __init__(self, records, station, evidence_dir):
        self.records = records
        self.station = station
        self.evidence_dir = evidence_dir
        self.port = 0
        self._thread = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, build_id="build-1"):
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._app = create_app(
            records=self.records,
            station=self.station,
            evidence_dir=self.evidence_dir,
            build_id=build_id,
            demo=self.demo,
        )
        config = uvicorn.Config(self._app, log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._loop = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(listener)))
        self._thread.start()

    async def _serve(self, listener):
        self._loop.set_result(asyncio.get_running_loop())
        with listener:
            await self._server.serve(sockets=[listener])

    def stop(self):
        if self._thread is None:
            return
        self._loop.result(10).call_soon_threadsafe(self._app.state.stopping.set)
        self._server.should_exit = True
        self._thread.join(20)
        self._thread = None

    def change(self, **changes):
        """Let something happen on the line."""
        done = Future()

        def apply():
            self.station.change(**changes)
            done.set_result(None)

        self._loop.result(10).call_soon_threadsafe(apply)
        done.result(10)

    def called(self, verb):
        return [call[1:] for call in self.station.calls if call[0] == verb]


@pytest.fixture
def product(records, fake_station, tmp_path):
    """Listens with nothing on the line and nothing recorded."""
    product = Product(records, fake_station(), tmp_path / "evidence")
    product.station.change(visits=(), questions=(), alarms=(), outbox_depth=0)
    product.start()
    yield product
    product.stop()


@pytest.fixture
def archive(records, tmp_path):
    """The same service without a station."""
    product = Product(records, None, tmp_path / "evidence")
    product.start()
    yield product
    product.stop()


@pytest.fixture
def judged(product, graded):
    """A panel that was really graded, as the last one of the line; its report."""
    seal(product.evidence_dir / graded.report.inspection_id, graded.files)
    product.records.record(graded.report, ())
    product.change(latest_inspection_id=graded.report.inspection_id)
    return graded.report


@pytest.fixture
def second(judged):
    """Another panel's report, of a later moment."""
    panel = replace(judged.panel, panel_id="ZK000777")
    return replace(
        judged,
        inspection_id="20261123T111500123-ZK000777-station-1",
        measured_at="2026-11-23T11:15:00.123+00:00",
        panel=panel,
        iv=None,
        el=None,
    )


@pytest.fixture
def back_sheet():
    """``back_sheet(panel_id, question_id)``: the question that every panel begins with."""

    def ask(panel_id="ZK000002", question_id="q1"):
        return Question(
            question_id=question_id,
            kind="back_sheet",
            inspection_id="x",
            panel_id=panel_id,
            detail="Look.",
            choices=("sound", "broken_glass", "frame_bent"),
            multiple=True,
            raised_at="2026-11-23T10:15:00.000+00:00",
        )

    return ask


@pytest.fixture
def at():
    """``at(phase, panel_id, inspection_id)``: a panel at a place of the line."""

    def place(phase, panel_id="ZK000002", inspection_id="x", problem=None):
        since = "2026-11-23T10:15:00.000+00:00"
        return VisitView(
            inspection_id=inspection_id,
            panel_id=panel_id,
            phase=Phase(phase),
            since=since,
            problem=problem,
        )

    return place


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as started:
        flags = ["no-sandbox", "disable-background-networking", "no-first-run", "disable-gpu"]
        opened = started.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{flag}" for flag in flags]
        )
        yield opened
        opened.close()


@pytest.fixture
def look(browser):
    """``look(url)`` opens a page; no page may err, or fetch anything from another host."""
    faults = []
    with contextlib.ExitStack() as stack:

        def open_page(url, *, locale="nl-NL", size=FULL_HD):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]}, locale=locale
            )
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(10_000)
            host = "/".join(url.split("/")[:3])
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on(
                "request",
                lambda r: None if r.url.startswith((host, "data:")) else faults.append(r.url),
            )
            page.on(
                "console",
                lambda said: (
                    faults.append(said.text) if "Content Security Policy" in said.text else None
                ),
            )
            page.goto(url)
            return page

        yield open_page
    assert faults == []
