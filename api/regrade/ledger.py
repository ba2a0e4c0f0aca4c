"""What a re-grading has found so far, durable, so that it goes on where it was broken off."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.regrade.judge import Depth, Fault
from evidence.reports import report_from_json, report_to_json, to_json
from evidence.weights import shipped_net
from grading.values import GradeReport
from grading.verdict import Criteria

TOLERANCE = 1e-3  # of its standard uncertainty: a figure that moved less has not moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What judging a panel again would change; ``report`` is the new one."""

    inspection_id: str
    version: int
    overridden: bool
    old: dict[str, Any]
    new: dict[str, Any]
    came: tuple[str, ...]  # reasons
    went: tuple[str, ...]
    report: GradeReport


def run_name(criteria: Criteria, depth: Depth, filters: object) -> str:
    """Return the name of a re-grading: the same criteria, network and panels have the same."""
    net = shipped_net() if depth is Depth.ALL else None  # the others look at no picture
    parts = (
        criteria.rules,
        criteria.prices,
        criteria.budget,
        tuple(c.digest for c in criteria.calibrations.calibrations),
        criteria.software_version,
        depth.value,
        filters,
        None if net is None else hashlib.sha256(net).hexdigest(),
    )
    return f"regrade {hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"


def change(old: GradeReport, new: GradeReport, *, version: int, overridden: bool) -> Change | None:
    """Return what changed, or None."""
    before, after = _summary(old), _summary(new)
    same = all(before[key] == after[key] for key in ("verdict", "grade", "destination", "reasons"))
    if same and not _moved(old, new):
        return None
    return Change(
        inspection_id=new.inspection_id,
        version=version,
        overridden=overridden,
        old=before,
        new=after,
        came=tuple(code for code in new.reasons if code not in old.reasons),
        went=tuple(code for code in old.reasons if code not in new.reasons),
        report=new,
    )


def _summary(report: GradeReport) -> dict[str, Any]:
    stc = report.iv.stc if report.iv else None
    return {
        "verdict": report.verdict.value,
        "grade": report.grade,
        "destination": report.destination,
        "reasons": list(report.reasons),
        "p_mp": stc.p_mp if stc else None,
        "u_p_mp": stc.u_p_mp if stc else None,
        "value": report.value.amount if report.value else None,
    }


def _moved(old: GradeReport, new: GradeReport) -> bool:
    before, after = _summary(old), _summary(new)
    scale = {
        "p_mp": TOLERANCE * (before["u_p_mp"] or 0.0),
        "u_p_mp": TOLERANCE * (before["u_p_mp"] or 0.0),
        "value": 0.005,  # half a cent
    }
    for key, least in scale.items():
        a, b = before[key], after[key]
        if (a is None) != (b is None) or (a is not None and abs(a - b) > least):
            return True
    return False


class Ledger:
    """One line a panel: unchanged, changed (with the new report), or a fault.

    Of a panel that was judged twice the last line counts. ``done`` holds the versions that were
    judged; a fault is tried again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        _drop_torn_line(path)
        self._written = 0  # lines
        self._last: dict[str, int] = {}
        self.done: dict[str, int] = {}
        for number, line in enumerate(self._lines()):
            self._note(number, line)

    def add(self, lines: Iterable[tuple[str, int, Change | Fault | None]]) -> None:
        """Write what was found of some panels; durable when it returns."""
        with self._path.open("a", encoding="utf-8") as file:
            for inspection_id, version, found in lines:
                line = {"inspection_id": inspection_id, "version": version, **_body(found)}
                file.write(json.dumps(line, allow_nan=False) + "\n")
                self._note(self._written, line)
            file.flush()
            os.fsync(file.fileno())

    def changes(self) -> Iterator[Change]:
        """Yield every change, in the order found."""
        for line in self._standing("change"):
            parts = {**line["change"], "report": report_from_json(line["change"]["report"])}
            parts["came"], parts["went"] = tuple(parts["came"]), tuple(parts["went"])
            yield Change(**parts)

    def faults(self) -> Iterator[Fault]:
        """Yield every panel that could not be judged."""
        for line in self._standing("fault"):
            yield Fault(**line["fault"])

    def _note(self, number: int, line: dict[str, Any]) -> None:
        name = line["inspection_id"]
        self._written = number + 1
        self._last[name] = number
        if "fault" in line:
            self.done.pop(name, None)
        else:
            self.done[name] = line["version"]

    def _standing(self, kind: str) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._lines()):
            if kind in line and self._last[line["inspection_id"]] == number:
                yield line

    def _lines(self) -> Iterator[dict[str, Any]]:
        if self._path.exists():
            with self._path.open(encoding="utf-8") as file:
                for line in file:
                    yield json.loads(line)


def _body(found: Change | Fault | None) -> dict[str, Any]:
    if found is None:
        return {}
    if isinstance(found, Fault):
        return {"fault": asdict(found)}
    fields = {name: to_json(getattr(found, name)) for name in Change.__slots__ if name != "report"}
    return {"change": {**fields, "report": report_to_json(found.report)}}


def _drop_torn_line(path: Path) -> None:
    """A line that a power cut left half written is as if it had never been."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
