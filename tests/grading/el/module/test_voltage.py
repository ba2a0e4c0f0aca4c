"""Cell voltages from two currents, against a diode model solved exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from grading.el import cell_voltages
from grading.errors import ImageError
from grading.values import ELImage
from simulators.el_module import Camera, draw_module, take_photo

THERMAL = 8.617333262e-5 * 298.15
HIGH, LOW = 9.0, 0.9  # A


def junction(current: float, conductance: np.ndarray) -> np.ndarray:
    """Voltage of a diode of 0.63 V at 9 A beside a shunt, by Newton's method."""
    saturation = HIGH / np.exp(0.63 / THERMAL)
    voltage = np.full_like(conductance, THERMAL * np.log(current / saturation))
    for _ in range(100):
        diode = saturation * np.exp(voltage / THERMAL)
        voltage -= (diode + conductance * voltage - current) / (diode / THERMAL + conductance)
    return voltage


@pytest.fixture(scope="module")
def scene():
    rng = np.random.default_rng(4)
    module = draw_module(rng, layout=(6, 10, False), kinds=12)
    conductance = np.zeros(60)
    shunted = np.array([3, 17, 40, 59])
    conductance[shunted] = [0.15, 0.4, 0.8, 1.1]
    optics = np.exp(rng.normal(0, 0.08, 60))
    volts = {current: junction(current, conductance) for current in (LOW, HIGH)}

    def shoot(current: float, exposure: float, seed: int) -> ELImage:
        light = optics * np.exp((volts[current] - 0.63) / THERMAL)
        cells = tuple(
            replace(cell, level=float(level))
            for cell, level in zip(module.cells, light, strict=True)
        )
        camera = Camera(exposure=exposure, bits=16, k1=-0.03, roll=0.05, glow=0.015, seed=seed)
        photo = take_photo(replace(module, cells=cells), camera)
        return ELImage(pixels=photo.pixels, dark=photo.dark, flat=photo.flat, current=current)

    return shoot(LOW, 5.0, 1), shoot(HIGH, 0.6, 2), volts, shunted


def test_voltages_to_a_millivolt(scene):
    low, high, volts, _ = scene
    found = cell_voltages(low, high)
    for ours, truth in ((found.low, volts[LOW]), (found.high, volts[HIGH])):
        error = ours.ravel() - truth
        assert np.abs(error - np.median(error)).max() < 1e-3


def test_every_shunted_cell_and_no_other(scene):
    low, high, _, shunted = scene
    found = cell_voltages(low, high)
    assert np.flatnonzero(found.shunted).tolist() == shunted.tolist()


def test_given_the_modules_voltage_they_are_absolute(scene):
    low, high, volts, _ = scene
    found = cell_voltages(low, high, module_voltage=float(volts[HIGH].sum()))
    assert found.high.sum() == pytest.approx(volts[HIGH].sum())
    np.testing.assert_allclose(found.low.ravel(), volts[LOW], atol=1.5e-3)


def test_currents_are_needed(scene):
    low, high, *_ = scene
    with pytest.raises(ImageError, match="current") as error:
        cell_voltages(replace(low, current=None), high)
    assert error.value.code == "current_missing"
    with pytest.raises(ImageError) as error:
        cell_voltages(high, low)
    assert error.value.code == "current_missing"
    smaller = ELImage(pixels=low.pixels[:-1], current=LOW)
    with pytest.raises(ImageError) as error:
        cell_voltages(smaller, high)
    assert error.value.code == "pictures_differ"
