"""``zonkeur simulate``: simulated devices alone, for integrators who test their own hardware."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import typer

from simulators.line import SimulatedLine
from simulators.population import make_panel
from simulators.replay import replay as replay_panels
from simulators.world import TruePanel


class Kind(StrEnum):
    """What can be simulated."""

    WASHER = "washer"
    FLASH = "flash"
    EL = "el"
    INSULATION = "insulation"
    SCANNER = "scanner"
    PRINTER = "printer"
    LINE = "line"


ROLES = {
    Kind.WASHER: ("washer",),
    Kind.FLASH: ("tester",),
    Kind.EL: ("camera", "source"),
    Kind.INSULATION: ("insulation",),
    Kind.SCANNER: ("intake_scanner", "cabinet_scanner"),
    Kind.PRINTER: ("printer",),
    Kind.LINE: (),
}


def simulate(
    kind: Kind = typer.Argument(..., help="The device, or the whole line."),
    replay: Path | None = typer.Option(None, help="Folder of real measurements to show."),
    speed: float = typer.Option(1.0, min=0.1, help="How much faster the belt runs."),
    as_json: bool = typer.Option(False, "--json", help="The addresses as one JSON document."),
) -> None:
    """Start simulated devices, print where they listen, and run until Ctrl-C."""
    panels: Iterator[TruePanel] = (make_panel(number) for number in itertools.count(1))
    if replay is not None:
        panels = replay_panels(replay)
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as drop:
        asyncio.run(_serve(kind, panels, Path(drop), speed, as_json=as_json))


async def _serve(
    kind: Kind, panels: Iterator[TruePanel], drop: Path, speed: float, *, as_json: bool
) -> None:
    line = SimulatedLine(panels, drop, time_scale=speed, roles=ROLES[kind] or None)
    async with line:
        line.place_in_cabinet()
        if as_json:
            sys.stdout.write(json.dumps({"devices": line.addresses}) + "\n")
        else:
            for role, address in line.addresses.items():
                sys.stdout.write(f"{role:16s} {address}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
