"""Cell voltages from two currents, against a diode model solved exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grading.el import cell_voltages
from grading.errors import ImageError
from grading.values import ELImage
from simulators.el_currents import two_currents

SHUNTED = {3: 0.15, 17: 0.4, 40: 0.8, 59: 1.1}  # S


@pytest.fixture(scope="module")
def scene():
    conductance = np.zeros(60)
    conductance[list(SHUNTED)] = list(SHUNTED.values())
    return two_currents(np.random.default_rng(4), conductance)


def test_voltages_to_a_millivolt(scene):
    found = cell_voltages(scene.low, scene.high)
    for ours, truth in ((found.low, scene.v_low), (found.high, scene.v_high)):
        error = ours.ravel() - truth
        assert np.abs(error - np.median(error)).max() < 1e-3


def test_every_shunted_cell_and_no_other(scene):
    found = cell_voltages(scene.low, scene.high)
    assert np.flatnonzero(found.shunted).tolist() == scene.shunted.tolist()


def test_given_the_modules_voltage_they_are_absolute(scene):
    found = cell_voltages(scene.low, scene.high, module_voltage=float(scene.v_high.sum()))
    assert found.high.sum() == pytest.approx(scene.v_high.sum())
    np.testing.assert_allclose(found.low.ravel(), scene.v_low, atol=1.5e-3)


def test_currents_are_needed(scene):
    low, high = scene.low, scene.high
    with pytest.raises(ImageError, match="current") as error:
        cell_voltages(replace(low, current=None), high)
    assert error.value.code == "current_missing"
    with pytest.raises(ImageError) as error:
        cell_voltages(high, low)
    assert error.value.code == "current_missing"
    smaller = ELImage(pixels=low.pixels[:-1], current=low.current)
    with pytest.raises(ImageError) as error:
        cell_voltages(smaller, high)
    assert error.value.code == "pictures_differ"
