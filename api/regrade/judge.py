"""Judge a batch of panels again. Runs in any process, on any host: everything it needs is given."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from pathlib import Path

import fsspec

from evidence.errors import EvidenceError
from evidence.folder import read_evidence
from evidence.weights import load_cell_model
from grading.el.net import CellModel
from grading.errors import GradingError
from grading.values import Evidence, GradeReport
from grading.verdict import Criteria, grade, grade_again


class Depth(StrEnum):
    """How much is done again.

    ``all``: curves and pictures, from the raw files, each panel by itself as the station did, so
    that the same software gives the same verdict to the last bit. ``curves``: the curves, in
    batches (equal to rounding, about 1 part in 10¹²); what the pictures showed is taken from
    the report. ``rules``: neither; right where only rules or prices changed.
    """

    ALL = "all"
    CURVES = "curves"
    RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A panel that could not be judged again, and what to do."""

    inspection_id: str
    code: str
    detail: str
    remedy: str


def judge_again(
    reports: Sequence[GradeReport], evidence_url: str, criteria: Criteria, depth: Depth
) -> list[GradeReport | Fault]:
    """Judge each panel again, from its evidence; a fault never touches another panel.

    Args:
        reports: the reports that stand.
        evidence_url: what fsspec can open: a folder, ``s3://…``.
        criteria: without a cell model, which each process loads for itself.
        depth: how much is done again.

    Returns:
        In order, the new report of each panel, or why there is none.
    """
    read = [_read(report, evidence_url, depth) for report in reports]
    if depth is Depth.ALL:
        full = replace(criteria, cell_model=_cell_model())
        return [one if isinstance(one, Fault) else _grade(one, full) for one in read]
    sound = [
        (one, report)
        for one, report in zip(read, reports, strict=True)
        if not isinstance(one, Fault)
    ]
    new = iter(
        grade_again(
            [one for one, _ in sound],
            [report for _, report in sound],
            criteria,
            curves=depth is Depth.CURVES,
        )
    )
    return [one if isinstance(one, Fault) else next(new) for one in read]


def _read(report: GradeReport, evidence_url: str, depth: Depth) -> Evidence | Fault:
    try:
        with _local_folder(evidence_url, report.inspection_id, depth) as folder:
            evidence = read_evidence(
                folder, curves=depth is not Depth.RULES, image=depth is Depth.ALL
            )
        if evidence.files != report.evidence:
            raise EvidenceError(
                "changed",
                "The sealed evidence is not what the verdict was made under.",
                "Restore it from the backup.",
            )
    except (EvidenceError, GradingError) as error:
        return _fault(report.inspection_id, error)
    # Who the panel is was settled then; a nameplate may have come with the curves.
    return replace(evidence, panel=report.panel)


def _grade(evidence: Evidence, criteria: Criteria) -> GradeReport | Fault:
    try:
        return grade(evidence, criteria)
    except GradingError as error:
        return _fault(evidence.inspection_id, error)


def _fault(inspection_id: str, error: EvidenceError | GradingError) -> Fault:
    return Fault(
        inspection_id=inspection_id, code=error.code, detail=error.detail, remedy=error.remedy
    )


@contextmanager
def _local_folder(evidence_url: str, name: str, depth: Depth) -> Iterator[Path]:
    """The folder itself, or a copy of what is needed of one that lies elsewhere."""
    files, base = fsspec.core.url_to_fs(evidence_url)
    if "file" in (files.protocol if isinstance(files.protocol, tuple) else (files.protocol,)):
        yield Path(base) / name
        return
    with tempfile.TemporaryDirectory(prefix="zonkeur-evidence-") as folder:
        copy = Path(folder) / name
        copy.mkdir()
        try:
            for remote in files.ls(f"{base}/{name}", detail=False):
                part = remote.rpartition("/")[2]
                if depth is Depth.ALL or not part.startswith("el"):
                    files.get_file(remote, str(copy / part))
        except OSError as error:
            raise EvidenceError(
                "unreachable", f"The evidence of {name} cannot be read: {error}.", "Try again."
            ) from error
        yield copy


@cache
def _cell_model() -> CellModel | None:
    return load_cell_model()
