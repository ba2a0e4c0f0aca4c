"""Putting the product together: devices, station, records and screens in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError

from api.access import AccessStore, Guard, Scope
from api.access.store import FIRST_MANAGER
from api.app import create_app
from api.records import Records
from config.load import Site
from config.settings import StationSettings, build_devices
from grading.rules import RuleBook
from grading.values import RuleSource
from grading.verdict import Criteria, grade
from simulators.line import SimulatedLine
from simulators.operator import NAME as SIMULATED
from simulators.operator import Operator, Service
from simulators.world import TruePanel
from station.ports import StationControl
from station.station import Station

log = logging.getLogger(__name__)

SIMULATED_KINDS = {
    "washer": ("wash_modbus", "url"),
    "tester": ("flash_scpi", "url"),
    "source": ("current_source_scpi", "url"),
    "insulation": ("insulation_scpi", "url"),
    "camera": ("camera_folder", "path"),
    "intake_scanner": ("scanner_serial", "url"),
    "cabinet_scanner": ("scanner_serial", "url"),
    "printer": ("label_zpl", "url"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the service listens, and where it keeps its data."""

    listener: socket.socket
    database: str
    evidence_dir: Path
    data: Path
    nameplates: Path | None = None
    site: Site | None = None
    rules: RuleBook | None = None
    rule_source: RuleSource | None = None

    @property
    def url(self) -> str:
        """The address of the screens."""
        host, port = self.listener.getsockname()[:2]
        return f"http://{host}:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """Which panels the simulated line brings, and how much faster its belt runs."""

    panels: Iterator[TruePanel]
    speed: float
    operator_pace: float = 1.0  # s


async def serve_records(server: Server) -> None:
    """Run the records service alone until it is told to stop."""
    await _serve(server, station=None)


async def serve_station(
    server: Server,
    settings: StationSettings,
    criteria: Criteria,
    simulation: Simulation | None,
    *,
    stop_after: int | None = None,
) -> None:
    """Run the whole product until it is told to stop, or has recorded ``stop_after`` panels."""
    async with contextlib.AsyncExitStack() as stack:
        line = None
        if simulation is not None:
            line = await stack.enter_async_context(_simulated_line(simulation))
            settings = _at(line, settings)
        records = Records(server.database)
        station = Station(
            build_devices(settings),
            records,
            partial(grade, criteria=criteria),
            server.data,
            options=settings.station,
            settings=settings.measurement,
        )
        await stack.enter_async_context(station)
        hands = None
        if line is not None and simulation is not None:
            hands = partial(_operator, line, server.url, simulation.operator_pace)
        await _serve(server, station, records, hands, stop_after)


def _operator(line: SimulatedLine, url: str, pace: float, guard: Guard) -> Operator:
    """Return the simulated operator, who is let in also where people sign in."""
    token = guard.own_token(SIMULATED, frozenset({Scope.LINE_READ, Scope.LINE_OPERATE}))
    return Operator(line, Service(url, token), pace=pace)


@contextlib.asynccontextmanager
async def _simulated_line(simulation: Simulation) -> AsyncIterator[SimulatedLine]:
    with tempfile.TemporaryDirectory(prefix="zonkeur-camera-") as drop:
        line = SimulatedLine(simulation.panels, Path(drop), time_scale=simulation.speed)
        async with line:
            yield line


def _at(line: SimulatedLine, settings: StationSettings) -> StationSettings:
    """Return ``settings`` with every device at its simulator, and waits for nobody's sake cut."""
    devices = {
        role: {"kind": kind, key: line.addresses[role]}
        for role, (kind, key) in SIMULATED_KINDS.items()
    }
    measurement = replace(
        settings.measurement, el_exposure=0.2, insulation_duration=1.0, wet_leakage_duration=1.0
    )
    return replace(settings, devices=devices, measurement=measurement)


async def _serve(
    server: Server,
    station: Station | None,
    records: Records | None = None,
    hands: Callable[[Guard], Operator] | None = None,
    stop_after: int | None = None,
) -> None:
    """Serve; ``hands`` work a simulated line, and nobody is asked to sign in at one."""
    records = records or Records(server.database)
    _note_rules(records, server.rule_source)
    app = create_app(
        records=records,
        station=station,
        evidence_dir=server.evidence_dir,
        build_id=uuid.uuid4().hex[:12],
        nameplates=server.nameplates,
        site=server.site,
        rules=server.rules,
        demo=hands is not None,
    )
    web = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, lifespan="on")
    )
    tasks = [asyncio.create_task(_end_streams(web, app))]
    if hands is not None:
        tasks.append(asyncio.create_task(hands(app.state.guard).run()))
    elif (pin := AccessStore(records.engine).first_manager()) is not None:
        print(
            f"First start: sign in as {FIRST_MANAGER} with PIN {pin}, shown only now.", flush=True
        )
    if station is not None and stop_after is not None:
        tasks.append(asyncio.create_task(_stop_after(web, station, stop_after)))
    print(f"Zonkeur is at {server.url}  (Ctrl-C stops it)", flush=True)
    try:
        await web.serve(sockets=[server.listener])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _note_rules(records: Records, rules: RuleSource | None) -> None:
    """Write down which rules are in use; the line is not kept from starting for want of that."""
    if rules is not None:
        try:
            records.note_rules(rules)
        except SQLAlchemyError:
            log.exception("the rules %s %s are not in the audit", rules.name, rules.version)


async def _end_streams(web: uvicorn.Server, app: FastAPI) -> None:
    """End the event streams as soon as the server stops, or it would wait for them."""
    while not web.should_exit:  # noqa: ASYNC110  # uvicorn tells it in no other way
        await asyncio.sleep(0.1)
    app.state.stopping.set()


async def _stop_after(web: uvicorn.Server, station: StationControl, panels: int) -> None:
    """Stop the service once so many panels were recorded and none waits in the outbox."""
    async for snapshot in station.changes():
        if snapshot.processed >= panels and snapshot.outbox_depth == 0:
            web.should_exit = True
            return
