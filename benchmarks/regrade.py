"""Re-grading of stored curves against a loop that calls pvlib per curve; two workers against one.

    python -m benchmarks.regrade [--panels 100000]

Times are ratios within this run. The Dask row needs the extra ``dask``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pvlib import pvsystem
from scipy.optimize import least_squares

from api.commands.grade import load_criteria
from api.regrade.judge import Depth, judge_again
from api.regrade.run import BATCH, here, on_dask
from evidence.folder import evidence_files, read_evidence
from evidence.store import seal
from grading.values import Evidence, GradeReport, IVCurve, PanelIdentity, Sweep, VisualRecord
from grading.verdict import Criteria, grade, grade_again
from simulators.population import make_panel

KINDS = 64  # different panels; more are the same again
LOOPS = 20  # curves that the slow peer is timed on
STORED = 4096  # panels on the disk for the comparison of workers


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=10_000)
    count = parser.parse_args().panels
    criteria = replace(load_criteria(), cell_model=None)
    panels = [panel(number) for number in range(1, KINDS + 1)]
    reports = [grade(evidence, criteria) for evidence in panels]
    ours = ours_per_panel(panels, reports, criteria, count)
    loop = loop_per_panel([evidence.curves[0] for evidence in panels[:LOOPS]])
    print("| what | figure |\n|---|---|")
    print(f"| stored I-V of {count:,} panels judged again, one core | {ours * count:.1f} s |")
    print(f"| the same, a panel | {ours * 1e3:.2f} ms |")
    print(f"| a loop over pvlib's single-diode model and SciPy, a panel | {loop * 1e3:.0f} ms |")
    print(f"| ratio | {loop / ours:.0f} |")
    with TemporaryDirectory() as folder:
        stored = store(Path(folder), panels, criteria)
        workers(Path(folder), stored, criteria)


def panel(number: int) -> Evidence:
    """A made-up panel without a picture."""
    made = make_panel(number)
    return Evidence(
        inspection_id=f"i-{number}",
        panel=PanelIdentity(panel_id=made.panel_id, nameplate=made.nameplate),
        curves=(made.sweep(Sweep.UP, irradiance=1000.0, points=200),),
        safety=made.safety,
        visual=VisualRecord(),
        measured_at="2026-11-23T10:15:00+00:00",
        identity_confirmed=True,
    )


def ours_per_panel(
    panels: Sequence[Evidence], reports: Sequence[GradeReport], criteria: Criteria, count: int
) -> float:
    pairs = itertools.islice(itertools.cycle(zip(panels, reports, strict=True)), count)
    begin = time.perf_counter()
    while part := list(itertools.islice(pairs, BATCH[Depth.CURVES])):
        grade_again([e for e, _ in part], [r for _, r in part], criteria, curves=True)
    return (time.perf_counter() - begin) / count


def loop_per_panel(curves: Sequence[IVCurve]) -> float:
    begin = time.perf_counter()
    for curve in curves:
        fit_by_pvlib(curve)
    return (time.perf_counter() - begin) / len(curves)


def fit_by_pvlib(curve: IVCurve) -> None:
    """Fit as one does without us: least squares over pvlib's explicit current."""
    voltage, current = curve.voltage, curve.current
    v_oc = float(voltage.max())
    start = np.array([current.max(), np.log(1e-9), 0.3, np.log(300.0), v_oc / 25])

    def residuals(p: np.ndarray) -> np.ndarray:
        model = pvsystem.i_from_v(voltage, p[0], np.exp(p[1]), abs(p[2]), np.exp(p[3]), abs(p[4]))
        return np.nan_to_num(np.asarray(model) - current, nan=1e3)

    least_squares(residuals, start, x_scale="jac", max_nfev=200)


def store(folder: Path, panels: Sequence[Evidence], criteria: Criteria) -> list[GradeReport]:
    """Seal the evidence of STORED panels; return their reports."""
    reports = []
    for number, evidence in zip(range(STORED), itertools.cycle(panels), strict=False):
        named = replace(evidence, inspection_id=f"p-{number}")
        seal(folder / named.inspection_id, evidence_files(named))
        if number < len(panels):
            reports.append(grade(read_evidence(folder / named.inspection_id), criteria))
        else:
            files = read_evidence(folder / named.inspection_id, curves=False).files
            same = reports[number % len(panels)]
            reports.append(replace(same, inspection_id=named.inspection_id, evidence=files))
    return reports


def workers(folder: Path, reports: Sequence[GradeReport], criteria: Criteria) -> None:
    judge = partial(judge_again, evidence_url=str(folder), criteria=criteria, depth=Depth.CURVES)
    size = BATCH[Depth.CURVES]
    batches = [reports[k : k + size] for k in range(0, len(reports), size)]

    def seconds(spread: object) -> float:
        with spread as work:  # type: ignore[attr-defined]
            list(work(judge, batches[:2]))  # imports, outside the time
            begin = time.perf_counter()
            assert sum(len(judged) for judged in work(judge, batches)) == len(reports)
            return time.perf_counter() - begin

    alone = seconds(here(1))
    print(
        f"| from files, {len(reports):,} panels, two cores against this process | "
        f"{alone / seconds(here(2)):.2f}× |"
    )
    if find_spec("distributed") is None:
        print("| Dask | not installed |")
        return
    from distributed import LocalCluster

    taken = []
    for count in (1, 2):
        with LocalCluster(
            n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            taken.append(seconds(on_dask(cluster.scheduler_address)))
    print(f"| Dask, two workers against one | {taken[0] / taken[1]:.2f}× |")


if __name__ == "__main__":
    main()
