"""What must hold at the end; it knows the truth of every panel."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from api.records import Filters, InspectionRecord, Records
from campaign.panels import MAY_PASS, NumberedPanel, number_in
from evidence.errors import EvidenceError
from evidence.folder import read_evidence
from evidence.store import verify
from grading.errors import GradingError
from grading.values import Evidence, Outcome, Sweep

BLACK = 3000  # counts: what a camera with its shutter shut stays below
CLOSE = 1e-9  # A: what is lost by writing a curve down


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """How often each thing that must never be was seen."""

    lost: int = 0
    stuck: int = 0
    duplicated: int = 0
    swapped: int = 0
    unsound_passes: int = 0
    damaged_evidence: int = 0
    damaged_records: int = 0
    flashes_with_open_door: int = 0
    moved_with_dead_station: int = 0

    @property
    def breaches(self) -> dict[str, int]:
        """What was seen at all."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name)}


def judge(
    data: Path,
    panels: dict[str, NumberedPanel],
    *,
    stuck: set[str],
    told_with_open_door: int,
    moved: int,
) -> tuple[Findings, Counter[Outcome]]:
    """Hold records and evidence against the ``panels`` that were brought to the line.

    Those that are ``stuck`` on it have no verdict yet, and are not lost.
    """
    seen: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    verdicts: Counter[Outcome] = Counter()
    with closing(Records(f"sqlite:///{data / 'records.sqlite'}")) as records:
        counts["damaged_records"] = len(records.trail_faults()[0])
        for record in _all(records):
            report = record.report
            seen[report.panel.panel_id] += 1
            verdicts[report.verdict] += 1
            truth = panels.get(report.panel.panel_id)
            folder = data / "evidence" / report.inspection_id
            counts.update(_wrongs(record, truth, folder))
    return (
        Findings(
            lost=sum(seen[panel_id] == 0 for panel_id in panels if panel_id not in stuck),
            stuck=len(stuck),
            duplicated=sum(times > 1 for times in seen.values()),
            swapped=counts["swapped"],
            unsound_passes=counts["unsound"],
            damaged_evidence=counts["damaged"],
            damaged_records=counts["damaged_records"],
            flashes_with_open_door=told_with_open_door,
            moved_with_dead_station=moved,
        ),
        verdicts,
    )


def _all(records: Records) -> list[InspectionRecord]:
    found, cursor = [], None
    while True:
        page = records.page(Filters(), cursor)
        found += [records.inspection(row.inspection_id) for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


def _wrongs(record: InspectionRecord, truth: NumberedPanel | None, folder: Path) -> list[str]:
    try:
        verify(folder)
        stored = read_evidence(folder)
    except (EvidenceError, GradingError):
        return ["damaged"]
    if truth is None:
        return ["swapped"]
    wrongs = []
    if not _is_of(stored, truth):
        wrongs.append("swapped")
    if record.report.verdict is Outcome.PASS and not _may_pass(stored, truth):
        wrongs.append("unsound")
    return wrongs


def _is_of(stored: Evidence, truth: NumberedPanel) -> bool:
    """Whether picture and curves are the panel's own, to the last digit that is written down."""
    if _shows_a_panel(stored) and not _shows(stored, truth):
        return False
    for curve in stored.curves:
        direction = curve.sweep or Sweep.UP
        own = truth.sweep(direction, irradiance=1000.0, points=curve.voltage.size)
        for name in ("current", "voltage", "irradiance"):
            true, found = (np.sort(getattr(c, name)) for c in (own, curve))
            if true.shape != found.shape or not np.allclose(true, found, rtol=1e-9, atol=CLOSE):
                return False
    return True


def _shows_a_panel(stored: Evidence) -> bool:
    """Whether anything shines in the picture; a black one is nobody's."""
    return stored.image is not None and bool(stored.image.pixels.max() > BLACK)


def _shows(stored: Evidence, truth: NumberedPanel) -> bool:
    return stored.image is not None and number_in(stored.image.pixels) == truth.number


def _may_pass(stored: Evidence, truth: NumberedPanel) -> bool:
    whole = stored.curves and _shows(stored, truth) and stored.safety is not None
    return bool(whole and stored.identity_confirmed and truth.base.condition in MAY_PASS)
