from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from api.main import app
from grading.iv import Diodes, single_diode_current
from grading.iv.diode import open_circuit_voltage

HEADER = "# cells_in_series: 60\n# temperature_C: 25\n# irradiance_W_m2: 1000\n"
MODULE = Diodes(
    photocurrent=np.array([9.0]),
    saturation_current=np.array([1e-9]),
    resistance_series=np.array([0.3]),
    conductance_shunt=np.array([0.003]),
    nNsVth=np.array([1.7]),
)


def sweeps(charge: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Both sweeps of a module whose cells take ``charge`` of its current near open circuit."""
    v_oc = float(open_circuit_voltage(MODULE)[0])
    voltage = np.linspace(0.0, v_oc, 200)
    steady = single_diode_current(voltage, MODULE)[0]
    missing = charge * 9.0 * np.exp((voltage - v_oc) / 3.4)
    return {"up": (voltage, steady - missing), "down": (voltage[::-1], (steady + missing)[::-1])}


def with_column(name: str, charge: float) -> list[str]:
    return [
        f"{v},{i},{name},{sweep}"
        for sweep, curve in sweeps(charge).items()
        for v, i in zip(*curve, strict=True)
    ]


def with_suffix(name: str, charge: float) -> list[str]:
    return [
        f"{v},{i},{name}_{sweep}"
        for sweep, curve in sweeps(charge).items()
        for v, i in zip(*curve, strict=True)
    ]


def run(path) -> tuple[int, dict]:
    answer = CliRunner().invoke(app, ["iv", str(path), "--json"])
    return answer.exit_code, json.loads(answer.stdout)


def test_both_sweeps_of_a_panel_in_one_file_give_its_hysteresis_and_its_steady_curve(tmp_path):
    path = tmp_path / "line.csv.gz"
    rows = with_column("P1", 0.05) + with_column("P2", 0.4)
    text = HEADER + "voltage,current,curve_id,sweep\n" + "\n".join(rows)
    path.write_bytes(gzip.compress(text.encode()))
    code, document = run(path)
    assert code == 0
    assert [(c["curve_id"], c["sweep"]) for c in document["curves"]] == [
        ("P1", "up"),
        ("P1", "down"),
        ("P2", "up"),
        ("P2", "down"),
    ]
    small, large = document["pairs"]
    up, down = (c["stc"]["p_mp"] for c in document["curves"][:2])
    truth = np.sqrt(up * down)
    assert small["hysteresis"]["percent"] == pytest.approx(100 * (down - up) / truth, abs=0.1)
    assert small["stc"]["p_mp"] == pytest.approx(0.5 * (up + down), rel=1e-3)
    assert small["findings"][0]["code"] == "hysteresis"
    assert large["stc"] is None
    assert large["findings"][0]["code"] == "hysteresis_too_large"
    assert large["findings"][0]["severity"] == "error"


def test_ids_that_end_in_up_and_down_are_a_pair_and_others_are_not(tmp_path):
    path = tmp_path / "line.csv"
    lone = [row for row in with_suffix("P4", 0.0) if "_down" not in row]
    rows = with_suffix("P3", 0.01) + lone
    path.write_text(HEADER + "voltage,current,curve_id\n" + "\n".join(rows))
    code, document = run(path)
    assert code == 0
    (pair,) = document["pairs"]
    assert pair["curve_id"] == "P3"
    assert "pairs" not in run(_single(tmp_path))[1]


def _single(folder):
    path = folder / "one.csv"
    voltage, current = sweeps(0.0)["up"]
    rows = [f"{v},{i}" for v, i in zip(voltage, current, strict=True)]
    path.write_text(HEADER + "voltage,current\n" + "\n".join(rows))
    return path


def test_sweeps_that_do_not_overlap_are_an_error_of_the_pair_alone(tmp_path):
    path = tmp_path / "line.csv"
    rows = with_suffix("P5", 0.01)
    apart = [
        row if "_up" in row else f"{float(row.split(',')[0]) + 60},{row.split(',', 1)[1]}"
        for row in rows
    ]
    path.write_text(HEADER + "voltage,current,curve_id\n" + "\n".join(apart))
    code, document = run(path)
    assert code == 3
    assert document["pairs"][0]["error"]["type"] == "sweeps_do_not_match"


def test_people_get_a_table_with_the_pair_in_a_row_of_its_own(tmp_path):
    path = tmp_path / "line.csv"
    path.write_text(HEADER + "voltage,current,curve_id\n" + "\n".join(with_suffix("P6", 0.01)))
    answer = CliRunner().invoke(app, ["iv", str(path)], env={"COLUMNS": "200"})
    assert answer.exit_code == 0
    assert "P6 up + down" in answer.stdout
