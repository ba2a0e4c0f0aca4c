"""One panel's verdict from raw files to record: a 20-megapixel EL picture and 200-point curves.

    python -m benchmarks.verdict

One processor thread. Shares of the whole, beside one pass over the picture's memory.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from api.commands.grade import load_criteria
from api.records import Records
from evidence.folder import evidence_files, read_evidence
from evidence.store import seal
from grading import el, iv
from grading.values import ELImage, Evidence, PanelIdentity, Sweep, VisualRecord
from grading.verdict import grade
from simulators.el_module import draw_camera, draw_module, take_photo
from simulators.population import make_panel


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    criteria = load_criteria()
    with TemporaryDirectory() as folder:
        sealed = Path(folder) / "i-1"
        evidence = panel()
        files = evidence_files(evidence)
        seal(sealed, files)
        report = grade(evidence, criteria)
        pixels = evidence.image.pixels if evidence.image else np.empty(0)
        buffer = np.empty(pixels.shape, np.float32)
        memory = best(lambda: np.multiply(pixels, np.float32(2), out=buffer))
        with closing(Records(f"sqlite:///{folder}/records.sqlite")) as records:
            names = iter(range(1000))
            steps: dict[str, Callable[[], object]] = {
                "read and check the files": lambda: read_evidence(sealed),
                "judge the curves": lambda: iv.analyse(evidence.curves[:1], report.panel.nameplate),
                "judge the picture": lambda: el.analyse(
                    evidence.image or ELImage(pixels=pixels), model=criteria.cell_model
                ),
                "verdict (curves, picture, rules)": lambda: grade(evidence, criteria),
                "record": lambda: records.record(
                    replace(report, inspection_id=f"i-{next(names)}"), ()
                ),
            }
            times = {name: best(step) for name, step in steps.items()}
    whole = sum(
        times[name]
        for name in ("read and check the files", "verdict (curves, picture, rules)", "record")
    )
    print(f"| step | share | memory passes |\n|---|---|---|\n| whole, {whole:.2f} s | 100% | |")
    for name, taken in times.items():
        print(f"| {name} | {taken / whole:.0%} | {taken / memory:.0f} |")


def panel() -> Evidence:
    """A made-up panel with a picture of 20 megapixels."""
    made, rng = make_panel(2), np.random.default_rng(3)
    module = draw_module(rng, layout=(6, 10, False), kinds=12)
    photo = take_photo(module, draw_camera(rng, width=5472, height=3648))
    return Evidence(
        inspection_id="i-1",
        panel=PanelIdentity(panel_id=made.panel_id, nameplate=made.nameplate),
        curves=tuple(made.sweep(s, irradiance=1000.0, points=200) for s in Sweep),
        image=ELImage(pixels=photo.pixels),
        safety=made.safety,
        visual=VisualRecord(),
        measured_at="2026-11-23T10:15:00+00:00",
        identity_confirmed=True,
    )


def best(work: Callable[[], object], times: int = 3) -> float:
    """Least processor time [s] of a few runs."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


if __name__ == "__main__":
    main()
