"""Steps that conducting bypass diodes leave in a curve, found by comparing models.

A curve that shows a sudden loss of current is fitted, under one robust loss, by a single diode
and by a series string of which one or two groups of substrings have lost current. Where a group
hands over to the next, the string's curve is the knee of the substrings that still carry the
current, ``d (1 - exp((V - V_k) / w))``, cut off at zero by the plateau of the next group, so the
string is a single diode plus such knees. Schwarz's criterion (Ann. Statist. 6 (1978) 461)
chooses. Every model leaves a slow misfit of real curves, so their residuals are correlated; the
criterion therefore judges the innovations of a first-order autoregression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from grading.iv.diode import Diodes, single_diode_current
from grading.iv.fit import fit_single_diode
from grading.iv.levenberg import LOWER, UPPER
from grading.iv.normal import as_diodes, derivatives
from grading.values import FloatArray

# Substrings of a sound module differ by the maker's sorting of cells; less is no step.
SMALLEST_STEP = 0.01  # of I_sc
_SCREEN = 0.004  # of I_sc: a sudden loss that is worth the comparison
_SEARCH = np.arange(0.20, 0.70, 0.01)  # of V_oc: bypass diodes hand over at halves and thirds
_LAST = 0.71  # of V_oc: two thirds, less what conducting bypass diodes take, and some room
_STRETCH = 6  # hundredths of V_oc
_FEWEST = 30  # samples that can show a step
_APART = 0.15  # of V_oc: half a substring of three
_VERY_STRONG = 10.0  # difference of criterion; Kass and Raftery, J. Am. Stat. Assoc. 90 (1995) 773
_WIDTH = (0.002, 0.05)  # of V_oc: the knee of one to three substrings


# A usual silicon module, with I_sc and V_oc one: where the fit of what remains starts.
_TYPICAL = Diodes(
    photocurrent=np.ones(1),
    saturation_current=np.full(1, np.exp(-20.0)),
    resistance_series=np.full(1, 0.03),
    conductance_shunt=np.full(1, 0.01),
    nNsVth=np.full(1, 0.05),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """The best explanation of one curve, step by step from short circuit on."""

    losses: tuple[float, ...]  # A
    u: tuple[float, ...]  # A, k = 1
    places: tuple[float, ...]  # V
    i_sc: float  # A, the scale
    evidence: float  # difference of the criterion against a single diode
    diodes: Diodes  # the string where all its substrings carry the current
    knees: FloatArray  # (place [V], width [V], loss [A]) of each step, shape (k, 3)
    residual: FloatArray  # A


@dataclass(frozen=True, slots=True)
class _Trial:
    vector: FloatArray  # 5 of the diode, then (place, ln width, loss) of each step
    cost: float
    residual: FloatArray
    jacobian: FloatArray


def sudden_losses(voltages: Sequence[FloatArray], currents: Sequence[FloatArray]) -> FloatArray:
    """Return the sudden loss of current at each place of the search, of I_sc.

    The loss between two short stretches of the curve, less one and a half times the trend on
    either side; medians, so that single bad samples do not count. Curves are first read off at
    every hundredth of V_oc.

    Args:
        voltages: ``m`` arrays [V], ascending.
        currents: ``m`` arrays [A].

    Returns:
        Shape ``(m, 50)``.
    """
    grid = np.arange(-7, 91) / 100.0
    level = np.empty((len(voltages), grid.size))
    for row, (voltage, current) in enumerate(zip(voltages, currents, strict=True)):
        v_oc, i_sc = scales(voltage, current)
        level[row] = np.interp(grid * v_oc, voltage, current / i_sc)
    windows = np.lib.stride_tricks.sliding_window_view(level, _STRETCH, axis=1)
    middle = np.median(windows, axis=2)
    # Stretches end 2 hundredths before the place and begin 2 behind it.
    places = np.rint(100 * _SEARCH).astype(np.intp) + 7
    left, right = middle[:, places - 1 - _STRETCH], middle[:, places + 2]
    before, after = middle[:, places - 1 - 2 * _STRETCH], middle[:, places + 2 + _STRETCH]
    trend = np.maximum(np.maximum(before - left, right - after), 0.0)
    return np.asarray(left - right - 1.5 * trend, dtype=np.float64)


def scales(voltage: FloatArray, current: FloatArray) -> tuple[float, float]:
    """Return V_oc [V] and I_sc [A], roughly."""
    generating = (current > 0.02 * current.max()) & (voltage > 0.0)
    v_oc = float(voltage[generating].max())
    flat = voltage <= 0.3 * v_oc
    i_sc = float(np.median(current[flat])) if flat.any() else 0.0
    return v_oc, i_sc if i_sc > 0.1 * current.max() else float(current.max())


def find_steps(
    voltages: Sequence[FloatArray], currents: Sequence[FloatArray], noises: Sequence[float]
) -> list[Steps | None]:
    """Return the steps in each curve, or None where a single diode explains it as well.

    Args:
        voltages: ``m`` arrays [V], ascending.
        currents: ``m`` arrays [A].
        noises: standard deviation of one sample's current [A], for each curve.
    """
    losses = sudden_losses(voltages, currents) if voltages else np.empty((0, _SEARCH.size))
    return [
        _compare(voltage, current, noise, loss)
        for voltage, current, noise, loss in zip(voltages, currents, noises, losses, strict=True)
    ]


def _compare(
    voltage: FloatArray, current: FloatArray, noise: float, losses: FloatArray
) -> Steps | None:
    v_oc, i_sc = scales(voltage, current)
    losses = np.where(losses > 4.0 * noise / i_sc, losses, 0.0)
    if losses.max() < _SCREEN or np.count_nonzero(voltage <= v_oc) < _FEWEST:
        return None
    v, i = voltage / v_oc, current / i_sc
    floor = 3.0 * max(noise / i_sc, 5e-4)
    trials = [_fit(v, i, floor, _start(v, i, ()))]
    for places in _candidates(losses):
        trials.append(_fit(v, i, floor, _start(v, i, places)))
    if len(trials) == 3:
        trials.append(_fit(v, i, floor, _extended(trials[1].vector, trials[2].vector)))
    single, best = trials[0], min(trials, key=lambda trial: _criterion(trial, trials))
    evidence = _criterion(single, trials) - _criterion(best, trials)
    if best is single or evidence < _VERY_STRONG:
        return None
    return _described(best, v, v_oc, i_sc, evidence)


def _candidates(losses: FloatArray) -> list[tuple[float, ...]]:
    """Return the places of one and of two steps, at the largest sudden losses."""
    first = float(_SEARCH[losses.argmax()])
    rest = np.where(np.abs(_SEARCH - first) > _APART, losses, 0.0)
    if rest.max() <= 0.0:
        return [(first,)]
    second = float(_SEARCH[rest.argmax()])
    return [(first,), (min(first, second), max(first, second))]


def _extended(one: FloatArray, two: FloatArray) -> FloatArray:
    """Start two steps from the fit of one and the other's place: a second way to the optimum."""
    steps = two[5:].reshape(-1, 3).copy()
    steps[np.abs(steps[:, 0] - one[5]).argmin()] = one[5:]
    return np.concatenate([two[:5], steps.ravel()])


def _fit(v: FloatArray, i: FloatArray, floor: float, start: FloatArray) -> _Trial:
    low, high = np.full(start.size, -np.inf), np.full(start.size, np.inf)
    for at, place in enumerate(start[5::3]):
        columns = slice(5 + 3 * at, 8 + 3 * at)
        low[columns] = place - 0.03, np.log(_WIDTH[0]), 0.0
        high[columns] = min(place + 0.03, _LAST), np.log(_WIDTH[1]), 1.0
    low[:5], high[:5] = LOWER, UPPER
    start = np.clip(start, low + 1e-6, high - 1e-6)

    def residual(vector: FloatArray) -> FloatArray:
        return (_current(vector, v) - i) / floor

    def jacobian(vector: FloatArray) -> FloatArray:
        return _jacobian(vector, v) / floor

    fit = least_squares(
        residual,
        start,
        jacobian,
        bounds=(low, high),
        loss="soft_l1",
        x_scale="jac",
        max_nfev=30,
        ftol=1e-4,
        xtol=1e-7,
    )
    return _Trial(fit.x, float(fit.cost), fit.fun * floor, np.asarray(fit.jac) * floor)


def _start(v: FloatArray, i: FloatArray, places: tuple[float, ...]) -> FloatArray:
    """Losses from the plateaus; the diode from what remains when they are added back."""
    steps: list[float] = []
    whole = i.copy()
    for place in places:
        left = (v > place - 0.08) & (v < place - 0.02)
        right = (v > place + 0.02) & (v < place + 0.08)
        corner = _corner(v, i, place)
        loss = max(float(np.median(i[left]) - np.median(i[right])), 2e-3)
        steps += [corner, np.log(0.012), loss]
        whole[v < corner] -= loss
    fit = fit_single_diode([v], [whole], start=_TYPICAL)
    diodes = fit.diodes
    a = float(diodes.nNsVth[0])
    q = np.log(max(float(diodes.saturation_current[0]), 1e-300)) + 1.0 / a
    diode = [
        float(diodes.photocurrent[0]),
        q,
        float(diodes.resistance_series[0]),
        float(diodes.conductance_shunt[0]),
        np.log(a),
    ]
    return np.array([*diode, *steps])


def _corner(v: FloatArray, i: FloatArray, place: float) -> float:
    """Return the lower end of the steepest fall near ``place``."""
    near = np.flatnonzero(np.abs(v - place) < 0.06)
    if near.size < 2:
        return place
    fall = i[near[:-1]] - i[near[1:]]
    return min(float(v[near[int(fall.argmax()) + 1]]), _LAST - 0.01)


def _current(vector: FloatArray, v: FloatArray) -> FloatArray:
    knees = vector[5:].reshape(-1, 3).copy()
    knees[:, 1] = np.exp(knees[:, 1])
    diode: FloatArray = single_diode_current(v, as_diodes(vector[:5, None]))[0]
    return diode + knees_current(v, knees)


def _jacobian(vector: FloatArray, v: FloatArray) -> FloatArray:
    columns = [*derivatives(v, vector[:5])]
    for place, log_width, loss in vector[5:].reshape(-1, 3):
        reach = np.minimum((v - place) * np.exp(-log_width), 0.0)
        knee = np.where(reach < 0.0, loss * np.exp(reach), 0.0)
        columns += [knee * np.exp(-log_width), knee * reach, -np.expm1(reach)]
    return np.stack(columns, axis=1)


def _criterion(trial: _Trial, trials: list[_Trial]) -> float:
    """Return Schwarz's criterion under Laplace's likelihood of the innovations.

    The slow misfit that every model leaves is no evidence; a fall that no model followed is.
    """
    finest = min(trials, key=lambda other: other.cost).residual
    r = _correlation(finest)
    innovation = np.abs(trial.residual[1:] - r * trial.residual[:-1])
    count = innovation.size
    return 2.0 * count * float(np.log(innovation.mean())) + trial.vector.size * float(np.log(count))


def _correlation(residual: FloatArray) -> float:
    """Return the correlation of neighbouring residuals, outliers clipped."""
    clipped = np.clip(residual, *np.quantile(residual, [0.05, 0.95]))
    clipped = clipped - clipped.mean()
    power = float(clipped @ clipped)
    r = float(clipped[1:] @ clipped[:-1]) / power if power > 0 else 0.0
    return min(max(r, 0.0), 0.98)


def knees_current(voltage: FloatArray, knees: FloatArray) -> FloatArray:
    """Return the current [A] that the steps add to their diode's at ``voltage`` [V]."""
    current: FloatArray = np.zeros_like(voltage)
    for place, width, loss in knees.tolist():
        current -= loss * np.expm1(np.minimum((voltage - place) / width, 0.0))
    return current


def _unscaled(vector: FloatArray, v_oc: float, i_sc: float) -> Diodes:
    diodes = as_diodes(vector[:5, None])
    return Diodes(
        photocurrent=diodes.photocurrent * i_sc,
        saturation_current=diodes.saturation_current * i_sc,
        resistance_series=diodes.resistance_series * v_oc / i_sc,
        conductance_shunt=diodes.conductance_shunt * i_sc / v_oc,
        nNsVth=diodes.nNsVth * v_oc,
    )


def _described(trial: _Trial, v: FloatArray, v_oc: float, i_sc: float, evidence: float) -> Steps:
    places, log_widths, losses = trial.vector[5:].reshape(-1, 3).T
    spread = 1.4826 * float(np.median(np.abs(trial.residual)))
    normal = trial.jacobian.T @ trial.jacobian
    scale = np.sqrt(np.diag(normal)) + 1e-30
    covariance = np.linalg.pinv(normal / scale / scale[:, None]) / scale / scale[:, None]
    r = _correlation(trial.residual)
    inflation = (1.0 + r) / (1.0 - r)
    u = spread * np.sqrt(np.diag(covariance)[7::3] * inflation)
    return Steps(
        losses=tuple((losses * i_sc).tolist()),
        u=tuple((u * i_sc).tolist()),
        places=tuple((places * v_oc).tolist()),
        i_sc=i_sc,
        evidence=evidence,
        diodes=_unscaled(trial.vector, v_oc, i_sc),
        knees=np.stack([places * v_oc, np.exp(log_widths) * v_oc, losses * i_sc], axis=1),
        residual=trial.residual * i_sc,
    )
