"""The whole line in one test: simulators on real wires, the real drivers, station and records."""

import asyncio
import contextlib
from functools import partial

import pytest

from api.commands.grade import load_criteria
from api.records import Records
from api.wiring import SIMULATED_KINDS
from config.settings import StationSettings, build_devices
from evidence.store import MANIFEST
from grading.verdict import grade
from simulators.line import SimulatedLine
from station.cabinet import MeasurementSettings
from station.ports import LineCommand, LineState, Phase
from station.station import Station, StationOptions

WAIT = 30.0  # s, for anything that a test waits for


@pytest.fixture(scope="session")
def criteria():
    return load_criteria()


class Bench:
    """A line with its station, and the hands that work at it."""

    def __init__(self, panels, folder, criteria):
        self.line = SimulatedLine(iter(panels), folder / "camera", time_scale=60)
        self.records = Records(f"sqlite:///{folder / 'records.sqlite'}")
        self.recorder = self.records
        self.folder = folder
        self.flashes_before = self.line.tester.flashes
        self.grade = partial(grade, criteria=criteria)
        self.settings = MeasurementSettings(
            el_exposure=0.05,
            insulation_duration=1.0,
            wet_leakage_duration=1.0,
            scan_timeout=3.0,
        )
        self.options = {}  # of the drivers, by role
        self.station = None
        self.answers = {
            "back_sheet": lambda: list(self.line.at_intake.visual_defects) or ["sound"],
            "device_trouble": lambda: ["retry"],
        }
        self._introduced = asyncio.Event()
        self._tasks = []

    async def start_station(self):
        devices = {
            role: {"kind": kind, key: self.line.addresses[role], **self.options.get(role, {})}
            for role, (kind, key) in SIMULATED_KINDS.items()
        }
        self.station = Station(
            build_devices(StationSettings(devices=devices)),
            self.recorder,
            self.grade,
            self.folder,
            options=StationOptions(poll_interval=0.05, reconnect_interval=0.2),
            settings=self.settings,
        )
        await self.station.start()
        self._tasks.append(asyncio.create_task(self._answer_questions()))
        await self.until(lambda s: all(device.connected for device in s.devices))

    async def run_line(self):
        for command in ("clear", "reset", "start"):
            if command in self.station.snapshot().allowed:
                await self.station.command(LineCommand(command), by="test")
        assert self.station.snapshot().state is LineState.EXECUTE

    async def stop_station(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.station.stop()
        self.station = None

    async def until(self, condition):
        """Wait until the station's snapshot fulfils a condition, and return it."""

        async def watch():
            async for snapshot in self.station.changes():
                if condition(snapshot):
                    return snapshot
            return None

        try:
            return await asyncio.wait_for(watch(), WAIT)
        except TimeoutError:
            for task in asyncio.all_tasks():
                task.print_stack(limit=8)
            pytest.fail(f"waited in vain; the line says {self.station.snapshot()}")

    async def bring(self):
        """Bring a panel to the intake, and load it once its back sheet was seen."""
        self._introduced.clear()
        panel = self.line.present()
        seen = await self.until(lambda s: any(v.panel_id == panel.panel_id for v in s.visits))
        inspection_id = next(v.inspection_id for v in seen.visits if v.panel_id == panel.panel_id)
        await self.station.intake(
            panel.panel_id, by="test", nameplate=panel.nameplate, serial=panel.serial
        )
        self._introduced.set()
        after = await self.until(
            lambda s: self.phase(inspection_id, s) not in (Phase.INTAKE, Phase.BACK_SHEET)
        )
        if self.phase(inspection_id, after) is Phase.INFEED:
            assert self.line.load()
        return panel, inspection_id

    @property
    def flashes(self):
        """How often the lamp flashed since the line was built."""
        return self.line.tester.flashes - self.flashes_before

    def phase(self, inspection_id, snapshot=None):
        visits = (snapshot or self.station.snapshot()).visits
        return next((v.phase for v in visits if v.inspection_id == inspection_id), Phase.DONE)

    async def reach(self, inspection_id, phase):
        await self.until(lambda s: self.phase(inspection_id, s) == phase)

    async def finish(self, panel, inspection_id):
        """Wait for the verdict, carry the panel away, and return what was recorded."""
        await self.reach(inspection_id, Phase.ROUTE)
        record = self.records.inspection(inspection_id)
        assert (self.folder / "evidence" / inspection_id / MANIFEST).exists()
        self.line.carry_away(panel.panel_id)
        await self.station.confirm_route(inspection_id, by="test")
        await self.reach(inspection_id, Phase.DONE)
        return record

    async def _answer_questions(self):
        asked = set()
        async for snapshot in self.station.changes():
            for question in snapshot.questions:
                if question.kind in self.answers and question.question_id not in asked:
                    asked.add(question.question_id)
                    await self._introduced.wait()
                    await self.station.answer(
                        question.question_id, tuple(self.answers[question.kind]()), by="test"
                    )


@pytest.fixture
async def make_bench(tmp_path, criteria):
    async with contextlib.AsyncExitStack() as stack:

        async def make(*panels, start=True):
            bench = Bench(panels, tmp_path, criteria)
            await stack.enter_async_context(bench.line)
            stack.callback(bench.records.close)
            if start:
                await bench.start_station()
                await bench.run_line()
            stack.push_async_callback(_stop, bench)
            return bench

        yield make


async def _stop(bench):
    if bench.station is not None:
        await bench.stop_station()
