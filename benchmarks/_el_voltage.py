"""Cell voltages from two currents on rendered truth, and the shunted cells among them."""

from __future__ import annotations

import numpy as np

from grading.el import cell_voltages
from simulators.el_currents import two_currents

SHUNTS = (0.15, 1.2)  # S, at 0.6 V a tenth to most of the low current
MOST = 6  # shunted cells of a module


def voltages(modules: int) -> None:
    """Print the largest error [mV] after the common one, and shunted cells found and made up."""
    worst, found, false, there = 0.0, 0, 0, 0
    for seed in range(modules):
        rng = np.random.default_rng(70_000 + seed)
        conductance = np.zeros(60)
        shunted = rng.choice(60, int(rng.integers(0, MOST + 1)), replace=False)
        conductance[shunted] = rng.uniform(*SHUNTS, shunted.size)
        scene = two_currents(rng, conductance)
        seen = cell_voltages(scene.low, scene.high)
        for ours, truth in ((seen.low, scene.v_low), (seen.high, scene.v_high)):
            error = ours.ravel() - truth
            worst = max(worst, float(np.abs(error - np.median(error)).max()))
        names = set(np.flatnonzero(seen.shunted).tolist())
        found += len(names & set(scene.shunted.tolist()))
        false += len(names - set(scene.shunted.tolist()))
        there += scene.shunted.size
    print(
        f"cell voltages, {modules} modules: worst error {1e3 * worst:.2f} mV; "
        f"shunted cells found {found} of {there}, false {false}"
    )
