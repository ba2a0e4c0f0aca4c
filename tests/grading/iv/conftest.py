from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evidence.curves import MeasuredCurve, read_curves
from grading.iv import Diodes

HERE = Path(__file__).resolve()
DATA = HERE.parents[2] / "data" / "iv"
SHARED = HERE.parents[4] / "shared" / "data" / "iv"


@lru_cache
def load(folder: Path, name: str) -> dict[str, MeasuredCurve]:
    curves = read_curves(folder / f"{name}.csv.gz")
    return {str(measured.curve.curve_id): measured for measured in curves}


@lru_cache
def load_expected(folder: Path) -> tuple[dict[str, Any], ...]:
    return tuple(json.loads((folder / "expected.json").read_text())["items"])


@pytest.fixture
def real_curves():
    """The curves of one of the files kept with the tests, by name."""
    return lambda name: load(DATA, name)


@pytest.fixture
def expected() -> tuple[dict[str, Any], ...]:
    return load_expected(DATA)


@pytest.fixture
def shared_iv() -> Path:
    """All measured curves, which are kept outside the repository."""
    if not SHARED.is_dir():
        pytest.skip("the measured curves in ../shared/data/iv are not here")
    return SHARED


def modules(count: int, seed: int) -> Diodes:
    """Draw modules over the physical range."""
    rng = np.random.default_rng(seed)
    i_sc = rng.uniform(2.0, 12.0, count)
    cells = rng.choice([36, 54, 60, 72, 96], count)
    v_oc = rng.uniform(0.56, 0.72, count) * cells
    a = rng.uniform(1.0, 1.6, count) * cells * 0.0257
    return Diodes(
        photocurrent=i_sc,
        saturation_current=i_sc / np.expm1(v_oc / a),
        resistance_series=rng.uniform(0.01, 0.1, count) * v_oc / i_sc,
        conductance_shunt=rng.uniform(0.002, 0.05, count) * i_sc / v_oc,
        nNsVth=a,
    )


@pytest.fixture
def draw_modules():
    return modules


@pytest.fixture
def load_curves():
    return load


@pytest.fixture
def load_labels():
    return load_expected
