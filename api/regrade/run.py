"""A whole re-grading: which panels, judged where, and what is written in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from multiprocessing import get_context
from typing import Any, TypeVar

from sqlalchemy import Engine

from api.records.regrades import Standing, add_regraded, standing_reports
from api.records.values import Filters
from api.regrade.judge import Depth, Fault, judge_again
from api.regrade.ledger import Change, Ledger, change
from grading.values import GradeReport
from grading.verdict import Criteria

BATCH = {Depth.ALL: 4, Depth.CURVES: 128, Depth.RULES: 256}
PAGE = 512
AHEAD = 3  # batches a worker has in hand or waiting

T = TypeVar("T")

Judged = list[GradeReport | Fault]
Judge = Callable[[Sequence[GradeReport]], Judged]
Map = Callable[[Judge, Iterable[Sequence[GradeReport]]], Iterator[Judged]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is judged again, and how."""

    filters: Filters
    criteria: Criteria
    depth: Depth
    evidence_url: str


def judge_all(
    engine: Engine, plan: Plan, ledger: Ledger, spread: Map, progress: Callable[[int], None]
) -> None:
    """Judge every panel that is not in the ledger yet, and write what was found there."""
    judge = partial(
        judge_again,
        evidence_url=plan.evidence_url,
        criteria=replace(plan.criteria, cell_model=None),
        depth=plan.depth,
    )
    waiting: list[Sequence[Standing]] = []

    def batches() -> Iterator[Sequence[GradeReport]]:
        for page in standing_reports(engine, plan.filters, PAGE):
            fresh = [one for one in page if not _done(one, ledger)]
            progress(len(page) - len(fresh))
            for part in _parts(fresh, BATCH[plan.depth]):
                waiting.append(part)
                yield [one.report for one in part]

    for judged in spread(judge, batches()):
        part = waiting.pop(0)
        ledger.add(_found(one, new) for one, new in zip(part, judged, strict=True))
        progress(len(part))


def _done(one: Standing, ledger: Ledger) -> bool:
    return ledger.done.get(one.report.inspection_id) == one.version


def _found(one: Standing, new: GradeReport | Fault) -> tuple[str, int, Change | Fault | None]:
    found = (
        new
        if isinstance(new, Fault)
        else change(one.report, new, version=one.version, overridden=one.overridden)
    )
    return one.report.inspection_id, one.version, found


def apply_changes(
    engine: Engine, run: str, ledger: Ledger, progress: Callable[[int], None]
) -> list[str]:
    """Write every change beside the old verdicts; return who had another verdict meanwhile."""
    left = []
    for part in _parts(ledger.changes(), PAGE):
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        left += add_regraded(engine, run, [(c.report, c.version) for c in part], now)
        progress(len(part))
    return left


def summary(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Return how many panels of each maker would go from where to where."""
    moves = Counter(
        (c.report.panel.nameplate.maker or "", _place(c.old), _place(c.new), c.overridden)
        for c in changes
    )
    return [
        {"maker": maker, "from": old, "to": new, "overridden": overridden, "panels": count}
        for (maker, old, new, overridden), count in sorted(moves.items())
    ]


def _place(said: dict[str, Any]) -> str:
    return f"{said['verdict']} {said['grade'] or ''}".strip()


def _parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    source = iter(items)
    while part := list(islice(source, size)):
        yield part


# --- where the work is done ---------------------------------------------------------------------


@contextmanager
def here(jobs: int) -> Iterator[Map]:
    """Work in this process, or on ``jobs`` cores."""
    if jobs == 1:
        yield lambda judge, batches: map(judge, batches)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield lambda judge, batches: _in_order(
            lambda batch: pool.submit(judge, batch), batches, AHEAD * jobs
        )


@contextmanager
def on_dask(address: str) -> Iterator[Map]:
    """Work on a Dask cluster; the same function, and evidence that its workers can reach."""
    from distributed import Client

    with Client(address) as client:  # type: ignore[no-untyped-call]
        ahead = AHEAD * max(len(client.scheduler_info()["workers"]), 1)
        yield lambda judge, batches: _in_order(
            lambda batch: client.submit(judge, batch, pure=False), batches, ahead
        )


def _in_order(
    submit: Callable[[Sequence[GradeReport]], Any],
    batches: Iterable[Sequence[GradeReport]],
    ahead: int,
) -> Iterator[Judged]:
    """Yield results in order, with no more in hand than memory should hold."""
    source = iter(batches)
    pending = [submit(batch) for batch in islice(source, ahead)]
    while pending:
        yield pending.pop(0).result()
        pending += [submit(batch) for batch in islice(source, 1)]
