"""The station as a process of its own: started, killed, and its disk torn as power cuts tear it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from api.access import AccessStore, Scope
from api.commands.database import database_url
from api.records import Records
from simulators.operator import Service

RECENT = 5.0  # s: older writes the system has written back by itself
STARTED_WITHIN = 60.0  # s


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class StationProcess:
    """``zonkeur run`` on ``folder``, with ``devices`` at their simulators' addresses."""

    folder: Path
    devices: Mapping[str, dict[str, Any]]
    mutant: str | None = None
    recoveries: list[float] = field(default_factory=list)  # s, from start to the first answer
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self._synced = self.folder / "synced.log"
        self._site = self.folder / "site"
        self._site.mkdir(parents=True, exist_ok=True)
        station = {
            "station": {"poll_interval": 0.05, "reconnect_interval": 0.2},
            "measurement": {
                "el_exposure": 0.02,
                "insulation_duration": 1.0,
                "wet_leakage_duration": 1.0,
                "scan_timeout": 1.5,
            },
            "devices": dict(self.devices),
        }
        (self._site / "station.toml").write_text(tomli_w.dumps(station), encoding="utf-8")
        self._port = free_port()
        self.service = Service(f"http://127.0.0.1:{self._port}", self._token())

    def _token(self) -> str:
        """Return a token for the campaign's operator: the station runs as at a site, guarded."""
        with closing(Records(database_url(None, self.data))) as records:
            scopes = (Scope.LINE_READ, Scope.LINE_OPERATE)
            return AccessStore(records.engine).create_token("campaign", scopes, by="campaign")[1]

    async def start(self) -> None:
        """Start the station, and wait until it answers."""
        begun = time.monotonic()
        mutant = ["--without", self.mutant] if self.mutant else []
        log = (self.folder / "station.log").open("ab")
        with log:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
                [
                    *(sys.executable, "-m", "campaign.station", "--synced", str(self._synced)),
                    *(*mutant, "--", "run", "--config", str(self._site)),
                    *("--data", str(self.data), "--port", str(self._port)),
                ],
                cwd=Path(__file__).parents[1],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        while await self.service.get("/api/station") is None:
            if self._process.poll() is not None or time.monotonic() - begun > STARTED_WITHIN:
                raise RuntimeError(f"the station does not start: see {self.folder}/station.log")
            await asyncio.sleep(0.05)
        self.recoveries.append(time.monotonic() - begun)

    def kill(self) -> None:
        """``kill -9``: no time for anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop, as Ctrl-C does."""
        self._end(signal.SIGINT)

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(timeout=30)
            self._process = None

    def fill_disk(self) -> None:
        """From now on no file grows beyond what it is: writes fail as on a full disk."""
        self._limit(4096)

    def empty_disk(self) -> None:
        """There is room again."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        if self._process is not None:
            hard = resource.RLIM_INFINITY
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def cut_power(self, rng: random.Random) -> int:
        """Kill it, and take away what was not yet synced to the disk; returns files torn."""
        self.kill()
        return sum((_tear_logs(self.data, rng), self._tear_evidence(rng)))

    def _tear_evidence(self, rng: random.Random) -> int:
        """Cut files whose content was not synced; lose names whose folder was not synced."""
        files, folders = self._syncs()
        torn, recent = 0, time.time_ns() - int(RECENT * 1e9)
        for path in (self.data / "evidence").glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                named_at = path.stat().st_ctime_ns
                if named_at < recent:
                    continue
                if str(path) not in files:
                    os.truncate(path, int(path.stat().st_size * rng.random()))
                    torn += 1
                elif folders.get(str(path.parent), 0) < named_at and rng.random() < 0.5:
                    path.unlink()
                    torn += 1
        return torn

    def _syncs(self) -> tuple[set[str], dict[str, int]]:
        """Return the files ever synced, by their final names, and when each folder last was."""
        files: set[str] = set()
        folders: dict[str, int] = {}
        if self._synced.exists():
            for line in self._synced.read_text(encoding="utf-8").splitlines():
                moment, _, name = line.partition(" ")
                path = Path(name)
                files.add(str(path.with_name(path.name.removeprefix(".").removesuffix(".draft"))))
                folders[name] = int(moment)
        return files, folders


def _tear_logs(data: Path, rng: random.Random) -> int:
    """Let the databases' logs end in the torn pages of a transaction that was never committed."""
    torn = 0
    for log in data.glob("*.sqlite-wal"):
        if log.stat().st_size:
            with log.open("ab") as file:
                file.write(rng.randbytes(rng.randrange(1, 5000)))
            torn += 1
    return torn
