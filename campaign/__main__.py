"""``python -m campaign``: run the line under faults, and exit 1 on any breach."""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from api.wiring import SIMULATED_KINDS
from campaign.disturb import PAUSE, WEIGHTS, Disturber
from campaign.mutants import MUTANTS
from campaign.operator import CarefulOperator
from campaign.oracle import judge
from campaign.panels import Supply
from campaign.process import StationProcess
from campaign.report import Result, table, write
from simulators import flash
from simulators.line import SimulatedLine

SPEED = 200.0  # of the belt and the test times
CHARGING = 0.5  # s, of the lamp: time enough to open the door in
PATIENCE = 40.0  # s without a panel leaving the line: then nothing more is done to it
STUCK = 120.0  # s left in peace, and still no panel leaves the line
console = Console(stderr=True)


def main(
    panels: int = typer.Option(20, min=1, help="Panels in each run."),
    seed: int = typer.Option(1, help="Of the first run; later ones count on."),
    runs: int = typer.Option(1, min=1),
    without: str | None = typer.Option(None, help="Guard that is taken out."),
    guards: bool = typer.Option(False, "--guards", help="Each guard out in turn: all must show."),
    only: list[str] = typer.Option([], help="With --guards: just these."),
    save: Path | None = typer.Option(None, help="Document that takes the table."),
) -> None:
    """Run the real station under faults against simulators that know the truth."""
    if guards:
        raise typer.Exit(_each_guard(panels, seed, only or list(MUTANTS)))
    results = []
    for number in range(seed, seed + runs):
        result = asyncio.run(campaign(panels, number, without))
        results.append(result)
        console.print(
            f"seed {number}: {result.panels} panels, {result.findings.breaches or 'none'}"
        )
        if save is not None:
            write(save, table(results))
    print(table(results))
    raise typer.Exit(int(any(result.findings.breaches for result in results)))


def _each_guard(panels: int, seed: int, names: list[str]) -> int:
    missed = 0
    print("| guard taken out | seen |\n|---|---|")
    for name in names:
        found = asyncio.run(campaign(panels, seed, name)).findings.breaches
        found.pop("stuck", None)  # a line that stands still is safe
        seen = ", ".join(f"{what.replace('_', ' ')} {times}" for what, times in found.items())
        print(f"| {MUTANTS[name].says} | {seen or '**nothing**'} |", flush=True)
        missed += not found
    return int(missed > 0)


async def campaign(panels: int, seed: int, without: str | None = None) -> Result:
    """Bring ``panels`` through the line under faults, and let the oracle judge."""
    mutant = MUTANTS[without] if without else None
    only, pause = (mutant.acts, mutant.every) if mutant else (tuple(WEIGHTS), PAUSE)
    begun = time.monotonic()
    flash.CHARGING = CHARGING
    with tempfile.TemporaryDirectory(prefix="zonkeur-campaign-") as name:
        folder = Path(name)
        supply = Supply(seed)
        line = SimulatedLine(iter(supply), folder / "camera", time_scale=SPEED)
        async with line:
            devices = {
                role: {"kind": kind, key: line.addresses[role]}
                for role, (kind, key) in SIMULATED_KINDS.items()
            }
            station = StationProcess(folder, devices, without)
            operator = CarefulOperator(line, station.service, panels)
            rng = random.Random(seed)
            disturber = Disturber(line, station, operator, supply, rng, only, pause)
            await station.start()
            try:
                stuck = await _work(station, operator, disturber, panels, patient=not without)
            finally:
                with contextlib.suppress(Exception):
                    station.stop()
        findings, verdicts = judge(
            station.data,
            {name: supply.given[name] for name in operator.brought},
            stuck=stuck,
            told_with_open_door=disturber.flashes_told_with_open_door,
            moved=disturber.moved_with_dead_station,
        )
    return Result(
        seed=seed,
        panels=len(operator.brought),
        seconds=time.monotonic() - begun,
        findings=findings,
        verdicts=Counter({outcome.value: count for outcome, count in verdicts.items()}),
        done=disturber.done,
        faults=disturber.link_faults,
        recoveries=tuple(station.recoveries),
    )


async def _work(
    station: StationProcess,
    operator: CarefulOperator,
    disturber: Disturber,
    panels: int,
    *,
    patient: bool,
) -> set[str]:
    """Until every panel has left the line, or the line is stuck; return what is left on it.

    Faults may come faster than the station starts. Stuck is a line that does not come right when
    it is left in peace.
    """
    on_line: set[str] = set()
    snapshot: dict[str, Any] | None = None
    hands = asyncio.create_task(operator.run())
    trouble = asyncio.create_task(disturber.run())
    try:
        left, since = 0, time.monotonic()
        while left < panels and time.monotonic() - since < PATIENCE + STUCK * patient:
            await asyncio.sleep(0.2)
            if patient and time.monotonic() - since > PATIENCE:
                disturber.rest()
            if trouble.done():
                trouble.result()
            snapshot = await station.service.get("/api/station")
            if snapshot is None:
                continue
            if any(alarm["code"] == "station_fault" for alarm in snapshot["alarms"]):
                await disturber.heed()
            on_line = {visit["panel_id"] for visit in snapshot["visits"]}
            gone = len(operator.brought) - len(on_line)
            if gone > left:
                left, since = gone, time.monotonic()
                disturber.go_on()
        if left < panels and patient:
            console.print_json(data=snapshot)
    finally:
        for task in (hands, trouble):
            task.cancel()
        await asyncio.gather(hands, trouble, return_exceptions=True)
    return on_line if left < panels else set()


if __name__ == "__main__":
    typer.run(main)
