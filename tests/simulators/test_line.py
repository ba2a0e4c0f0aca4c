"""The simulated line as a station sees it: through its wires and folders alone."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evidence.errors import EvidenceError
from grading.values import Sweep
from simulators.el_render import render_cell
from simulators.line import SimulatedLine
from simulators.population import Condition, make_panel
from simulators.replay import replay
from simulators.washer import EXECUTE

SHARED = Path(__file__).parents[3] / "shared" / "data"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_one_panel_from_intake_to_cabinet(tmp_path, monkeypatch):
    monkeypatch.setattr("simulators.washer.SHORTEST", 0.05)
    panels = (make_panel(number) for number in itertools.count(1))
    scanned: list[str] = []
    async with SimulatedLine(panels, tmp_path, time_scale=20) as line:
        line.cabinet_scanner.emit = scanned.append
        assert set(line.addresses) == {
            "washer", "tester", "source", "insulation", "camera",
            "intake_scanner", "cabinet_scanner", "printer",
        }  # fmt: skip
        assert not line.load()  # nobody stands at the intake
        panel = line.present()
        assert line.present() is panel
        assert line.load()
        assert line.at_intake is None
        second = line.present()
        assert second.panel_id != panel.panel_id
        assert not line.load()  # the infeed is taken
        plc = line.washer._plc
        plc.state = plc.next_state = EXECUTE
        line.washer._timeout = float("inf")
        await until(lambda: line.washer._zones["outfeed"].sensed)
        assert line.world.panel is None
        plc.released = True
        line.faults.once("door_blocked")
        await until(lambda: line.world.panel is panel)
        assert not line.world.door_closed
        assert scanned == []
        await until(lambda: scanned)
        assert line.world.panel is panel
        assert line.world.door_closed
        assert scanned == [panel.panel_id]
        assert not line.washer.may_release()
        line.faults.once("wrong_barcode")
        line.scan_cabinet()
        line.faults.once("no_barcode")
        line.scan_cabinet()
        assert len(scanned) == 2
        assert scanned[1] != panel.panel_id
        line.carry_away(panel.panel_id)
        assert line.world.panel is None
        assert not line.world.door_closed
        assert line.washer.may_release()
        line.carry_away(second.panel_id)
        assert line.at_intake is None


async def test_some_devices_alone(tmp_path):
    async with SimulatedLine(iter([make_panel(1)]), tmp_path, roles=("tester",)) as line:
        assert set(line.addresses) == {"tester"}
        line.place_in_cabinet()
        assert line.world.panel is not None


# --- the panels ----------------------------------------------------------------------------------


def test_same_number_is_the_same_panel():
    first, again = make_panel(5, seed=3), make_panel(5, seed=3)
    assert (first.panel_id, first.condition) == (again.panel_id, again.condition)
    one, two = (p.sweep(Sweep.UP, irradiance=1000, points=60) for p in (first, again))
    assert np.array_equal(one.current, two.current)
    assert make_panel(6, seed=3).panel_id != first.panel_id


def power(panel, **more) -> float:
    curve = panel.sweep(Sweep.UP, irradiance=1000, points=300)
    return float(np.max(curve.voltage * curve.current))


def test_sound_panels_are_near_their_nameplate_and_faulty_ones_below():
    sound = [make_panel(n, condition=Condition.SOUND) for n in range(6)]
    ratios = [power(panel) / panel.nameplate.p_mp for panel in sound]
    assert 0.82 < min(ratios) <= max(ratios) < 1.03
    for condition in (Condition.CELL_LOST, Condition.SHORTED_DIODE):
        worse = [make_panel(n, condition=condition) for n in range(6)]
        assert np.mean([power(p) / p.nameplate.p_mp for p in worse]) < np.mean(ratios) - 0.08


@pytest.mark.parametrize("condition", [Condition.SOUND, Condition.SHORTED_DIODE])
def test_picture_shows_what_the_curve_says(condition):
    """A shorted bypass diode takes a third of the voltage, and a third of the picture."""
    panel = make_panel(2, condition=condition)
    curve = panel.sweep(Sweep.UP, irradiance=1000, points=200)
    lit = panel.photograph(current=8.0).astype(float)
    dark = panel.photograph(current=0.0)
    assert lit.shape == dark.shape
    rows = (lit - np.median(dark)).mean(axis=1)
    middle = rows[len(rows) // 5 : -len(rows) // 5]
    thirds = [part.mean() for part in np.array_split(middle, 3)]
    if condition is Condition.SOUND:
        assert curve.voltage.max() / panel.nameplate.v_oc > 0.9
        assert min(thirds) > 0.5 * max(thirds)
    else:
        assert curve.voltage.max() / panel.nameplate.v_oc < 0.75
        assert min(thirds) < 0.5 * max(thirds)


def test_voltage_in_the_dark_grows_with_current():
    panel = make_panel(1, condition=Condition.SOUND)
    volts = [panel.forward_voltage(current=amps) for amps in (0.1, 1.0, 4.0, 8.0)]
    assert volts == sorted(volts)
    assert volts[-1] < 1.3 * panel.nameplate.v_oc


def test_shipped_sample_is_replayed_unaltered():
    panel = next(replay())
    up = panel.sweep(Sweep.UP, irradiance=1000, points=200)
    down = panel.sweep(Sweep.DOWN, irradiance=1000, points=200)
    assert sorted(up.voltage) == sorted(panel.curve.voltage)
    assert np.array_equal(up.current, down.current[::-1])
    assert np.array_equal(np.sort(up.irradiance), np.sort(panel.curve.irradiance))
    assert up.temperature == panel.curve.temperature
    assert panel.nameplate.p_mp


def test_nothing_to_replay(tmp_path):
    with pytest.raises(EvidenceError, match="holds no"):
        next(replay(tmp_path))


@pytest.mark.skipif(not SHARED.exists(), reason="the shared measurements are not there")
def test_shared_measurements_are_replayed_with_their_pictures():
    panels = list(itertools.islice(replay(SHARED), 8))
    assert len({panel.panel_id for panel in panels}) == len(panels)
    assert {panel.nameplate.cells_in_series for panel in panels} >= {36, 60}
    assert any(panel.picture is not None for panel in panels)
    for panel in panels:
        curve = panel.sweep(Sweep.UP, irradiance=1000, points=200)
        assert np.median(curve.irradiance) >= 600


@pytest.mark.parametrize("number", range(4))
def test_dark_area_of_the_worst_cell_is_current_lost(number):
    """The step that a lost cell leaves in the curve has the size of its dark area."""
    panel = make_panel(number, condition=Condition.CELL_LOST)
    left = panel.substrings.photocurrent / panel.substrings.photocurrent.max()
    assert 0.39 < left.min() < 0.82
    dark = [
        render_cell(cell, panel.module.style, side=64, optics=False).damage
        for cell in panel.module.cells
    ]
    worst = int(np.argmax(dark))
    assert int(np.argmin(left)) == worst // 20  # two rows of ten cells a substring
    assert 1 - left.min() == pytest.approx(dark[worst], abs=0.05)
