"""Guards that can be taken out, one at a time, to see that the campaign notices."""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import config.load
import drivers.flash_scpi
import drivers.scpi
import evidence.store
import station.cabinet
import station.station
import station.visit
from grading.rules import RuleBook
from grading.values import Sweep
from station.journal import Journal
from station.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """What is taken out, and which of ``disturb``'s acts make it show."""

    says: str
    take_out: Callable[[], None]
    acts: tuple[str, ...] = ()
    every: float = 0.5  # s; what stops the station comes less often than it takes to go on


def _identity() -> None:
    async def believe(visit: station.visit.Visit, code: str | None) -> None:
        visit.state.identity_confirmed = True

    _put(station.visit.Visit, "_resolve_mismatch", believe)


def _identity_after_restart() -> None:
    _put(station.station, "restore", station.visit._STATE.validate_python)


def _door() -> None:
    async def nothing(*_: Any) -> None:
        return None

    _put(station.cabinet, "require_safe", nothing)
    tester = drivers.flash_scpi.FlashScpi
    ask = tester.interlock

    async def always_safe(self: Any) -> Any:
        return replace(await ask(self), door_closed=True, circuit_closed=True)

    _put(tester, "interlock", always_safe)


def _journal() -> None:
    _put(Journal, "save_visit", lambda *_: None)


def _outbox() -> None:
    _put(Outbox, "wake", lambda _: None)
    _put(Journal, "pending", lambda _: [])
    _put(Journal, "is_pending", lambda *_: False)


def _once() -> None:
    """Records go out under a new name each time, so that the service cannot know them again."""
    post = Journal.post

    def twice(self: Journal, inspection_id: str, record: dict[str, Any], **options: Any) -> None:
        post(self, inspection_id, record, **options)
        name = f"{inspection_id[:-1]}{'0' if inspection_id[-1] != '0' else '1'}"
        with self._transaction() as database:
            again = {**record, "report": {**record["report"], "inspection_id": name}}
            database.execute(
                "INSERT INTO outbox (inspection_id, record) VALUES (?, ?)",
                (name, json.dumps(again)),
            )

    _put(Journal, "post", twice)


def _sync() -> None:
    _put(os, "fsync", lambda _: None)


def _seal_last() -> None:
    """The manifest is written before the files that it vouches for."""
    store = evidence.store

    def manifest_first(folder: Path, files: dict[str, bytes]) -> tuple[Any, ...]:
        hashes = tuple(store.hash_bytes(name, files[name]) for name in sorted(files))
        entries = [{"name": h.name, "sha256": h.sha256, "size": h.size} for h in hashes]
        folder.mkdir(parents=True, exist_ok=True)
        store.write_durably(folder / store.MANIFEST, json.dumps(entries).encode())
        for name, content in files.items():
            time.sleep(0.3)
            store.write_durably(folder / name, content)
        return hashes

    _put(station.visit, "seal", manifest_first)


def _sweep_crc() -> None:
    class Blind:
        @staticmethod
        def crc32(payload: bytes) -> Any:
            class Equal(int):
                def __ne__(self, other: object) -> bool:
                    return False

                __hash__ = int.__hash__

            return Equal(zlib.crc32(payload))

    _put(drivers.scpi, "zlib", Blind)


def _sweep_id() -> None:
    tester = drivers.flash_scpi.FlashScpi
    decode = tester._decode

    def any_sweep(self: Any, block: bytes, flash_id: int, sweep: Any, points: int) -> Any:
        header = drivers.flash_scpi.HEADER
        fields = list(header.unpack_from(block))
        fields[1] = flash_id
        fields[3] = int(sweep is Sweep.DOWN)
        return decode(self, header.pack(*fields) + block[header.size :], flash_id, sweep, points)

    _put(tester, "_decode", any_sweep)


def _without_rules(*names: str) -> Callable[[], None]:
    def take_out() -> None:
        parse = vars(config.load)["parse"]

        def fewer(cls: Any, *arguments: Any) -> Any:
            parsed = parse(cls, *arguments)
            if not isinstance(parsed, RuleBook):
                return parsed
            return replace(parsed, rules=tuple(r for r in parsed.rules if r.id not in names))

        _put(config.load, "parse", fewer)
        _put(config.load, "faults", lambda *_: [])  # which would refuse such a rule file

    return take_out


def _put(owner: Any, name: str, value: Any) -> None:
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name}: the mutant is out of date")
    setattr(owner, name, value)


MUTANTS = {
    "identity": Mutant(
        says="another barcode than the tracked one is believed",
        take_out=_identity,
        acts=("stranger",),
    ),
    "identity_after_restart": Mutant(
        says="after a restart nobody looks which panel is in the cabinet",
        take_out=_identity_after_restart,
        acts=("exchange_while_down",),
        every=8.0,
    ),
    "door": Mutant(
        says="station and driver do not look at the door", take_out=_door, acts=("door",)
    ),
    "journal": Mutant(
        says="visits are not written down", take_out=_journal, acts=("kill",), every=5.0
    ),
    "outbox": Mutant(says="records are not delivered", take_out=_outbox),
    "once": Mutant(says="a record is delivered under two names", take_out=_once),
    "sync": Mutant(
        says="evidence is not synced to the disk", take_out=_sync, acts=("power_cut",), every=4.0
    ),
    "seal_last": Mutant(
        says="evidence is vouched for before it is written",
        take_out=_seal_last,
        acts=("kill_at_work",),
        every=4.0,
    ),
    "sweep_crc": Mutant(
        says="damaged sweeps are believed", take_out=_sweep_crc, acts=("sweep_damaged",)
    ),
    "sweep_id": Mutant(
        says="a sweep of before is taken for this one", take_out=_sweep_id, acts=("old_sweep",)
    ),
    "insulation": Mutant(
        says="no rule on insulation", take_out=_without_rules("insulation", "wet_leakage")
    ),
    "bypass_diodes": Mutant(
        says="no rule on bypass diodes", take_out=_without_rules("bypass_diodes")
    ),
}
