"""``zonkeur run`` and ``zonkeur serve``: the product itself."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Iterator
from pathlib import Path

import typer

from api.commands.database import database_url
from api.commands.grade import load_criteria
from api.commands.output import BAD_CALL, progress_console
from api.wiring import Server, Simulation, serve_records, serve_station
from config.load import load_grading, load_site, load_station, own_nameplates
from evidence.errors import EvidenceError
from grading.errors import GradingError
from simulators.population import make_panel
from simulators.replay import replay as replay_panels
from simulators.world import TruePanel


def run(
    config: Path | None = typer.Option(None, help="Folder with a site's own configuration."),
    data: Path = typer.Option(Path("var"), help="Folder for records and evidence."),
    simulate: bool = typer.Option(False, "--simulate", help="Stand in for every device."),
    replay: Path | None = typer.Option(None, help="Folder of real measurements to replay."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port of the screens; 0 picks one."),
    host: str = typer.Option("127.0.0.1", help="Address to listen at."),
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    speed: float = typer.Option(20.0, min=0.1, help="How much faster the simulated belt runs."),
    panels: int | None = typer.Option(None, min=1, help="Stop after so many panels."),
) -> None:
    """Run the station, the service and its screens until Ctrl-C."""
    try:
        settings, site = load_station(config), load_site(config)
        criteria = load_criteria(config)
        simulation = None
        if simulate or replay is not None:
            simulation = Simulation(panels=_panels(replay), speed=speed)
    except (EvidenceError, GradingError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(BAD_CALL) from error
    server = Server(
        listener=_listen(host, port),
        database=database_url(database, data),
        evidence_dir=data / "evidence",
        data=data,
        nameplates=own_nameplates(config),
        site=site,
        rules=criteria.rules,
        rule_source=criteria.rule_source,
    )
    asyncio.run(serve_station(server, settings, criteria, simulation, stop_after=panels))


def serve(
    database: str | None = typer.Option(None, help="Address; SQLite under --data by default."),
    evidence: Path | None = typer.Option(None, help="Folder of evidence."),
    data: Path = typer.Option(Path("var"), help="Folder for records."),
    config: Path | None = typer.Option(None, help="Folder with a site's own configuration."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port; 0 picks one."),
    host: str = typer.Option("127.0.0.1", help="Address to listen at."),
) -> None:
    """Run the records service alone, for stations on other hosts."""
    try:
        site, grading = load_site(config), load_grading(config)
    except (EvidenceError, GradingError) as error:
        progress_console.print(str(error), style="red")
        raise typer.Exit(BAD_CALL) from error
    server = Server(
        listener=_listen(host, port),
        database=database_url(database, data),
        evidence_dir=evidence or data / "evidence",
        data=data,
        nameplates=own_nameplates(config),
        site=site,
        rules=grading.rules,
        rule_source=grading.rule_source,
    )
    asyncio.run(serve_records(server))


def _panels(folder: Path | None) -> Iterator[TruePanel]:
    """Really measured panels; without a folder, those that ship, in turn with made-up ones."""
    real: Iterator[TruePanel] = replay_panels(folder)
    first = next(real)  # so that an empty folder is told before anything starts
    real = itertools.chain([first], real)
    if folder is not None:
        return real
    made_up: Iterator[TruePanel] = (make_panel(number) for number in itertools.count(1))
    return (panel for pair in zip(real, made_up, strict=False) for panel in pair)


def _listen(host: str, port: int) -> socket.socket:
    """Open the port before anything else starts, so that a taken one is told at once."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        progress_console.print(
            f"Port {port} at {host} cannot be used: {error.strerror}. Choose another with --port.",
            style="red",
        )
        raise typer.Exit(BAD_CALL) from error
