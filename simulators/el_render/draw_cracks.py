"""Crack patterns by fracture statistics: straight, crossed, parallel, branching, shattered."""

from __future__ import annotations

import numpy as np

from simulators.el_render.spec import CrackSpec, ModuleStyle, Polyline, Wafer, busbar_positions

Rng = np.random.Generator
STEP = 0.03  # of the side, between points of a crack


def crack_pattern(rng: Rng, style: ModuleStyle) -> tuple[CrackSpec, ...]:
    """One random pattern of cracks, of one darkness."""
    kind = rng.choice(
        ["single", "short", "star", "parallel", "dendrite", "shatter", "arc"],
        p=[0.29, 0.14, 0.18, 0.07, 0.16, 0.09, 0.07],
    )
    lines = _PATTERNS[kind](rng, style)
    contrast = float(np.exp(rng.uniform(np.log(0.07), np.log(0.8))))
    width = float(np.exp(rng.uniform(np.log(0.004), np.log(0.016))))
    cracks = (
        CrackSpec(
            points=line,
            width=float(np.clip(width * rng.lognormal(0, 0.2), 0.003, 0.02)),
            contrast=float(np.clip(contrast * rng.lognormal(0, 0.25), 0.06, 0.95)),
        )
        for line in (_clip(line) for line in lines)
        if len(line) > 1
    )
    return tuple(cracks)


def _heading(rng: Rng, style: ModuleStyle) -> float:
    """Direction in which a crack starts, stretched with the cell."""
    if rng.random() < (0.8 if style.wafer is Wafer.MONO else 0.2):
        angle = float(np.pi / 4 + np.pi / 2 * rng.integers(4) + rng.normal(0, 0.12))
    elif rng.random() < 0.3:
        angle = float(np.pi * rng.integers(2) + rng.normal(0, 0.15))
    else:
        angle = rng.uniform(0, 2 * np.pi)
    return float(np.arctan2(style.aspect * np.sin(angle), np.cos(angle)))


def _walk(
    rng: Rng, style: ModuleStyle, start: tuple[float, float], angle: float, length: float
) -> Polyline:
    """A crack that runs on, straighter in mono than in multi, with a bend now and then."""
    wander = (
        rng.choice([0.0, 0.0, 0.02, 0.07])
        if style.wafer is Wafer.MONO
        else rng.choice([0.03, 0.1, 0.22])
    )
    steps = max(2, int(length / STEP))
    turns = rng.normal(0, wander, steps) + (rng.random(steps) < 0.02) * rng.normal(0, 0.8, steps)
    headings = angle + np.cumsum(turns) + rng.normal(0, wander, steps)
    xy = np.cumsum(np.column_stack([np.cos(headings), np.sin(headings)]) * STEP, axis=0)
    points = np.vstack([[start], np.asarray(start) + xy])
    return tuple((float(x), float(y)) for x, y in points)


def _clip(line: Polyline) -> Polyline:
    """The crack up to where it first leaves the cell."""
    kept = []
    for point in line:
        kept.append(point)
        if not (0.0 <= point[0] <= 1.0 and 0.0 <= point[1] <= 1.0):
            break
    return tuple(kept)


def _start(rng: Rng, style: ModuleStyle) -> tuple[float, float]:
    """Cracks start at the cell's edge, at a busbar (soldering), or anywhere."""
    where = rng.random()
    if where < 0.35:
        along = rng.uniform(0.03, 0.97)
        edge = rng.choice([0.02, 0.98])
        return (along, edge) if rng.random() < 0.5 else (edge, along)
    if where < 0.65 and style.busbars:
        return rng.uniform(0.05, 0.95), float(rng.choice(busbar_positions(style)))
    return rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95)


def _inwards(start: tuple[float, float], angle: float) -> float:
    """Turn a direction that leaves the cell at once."""
    ahead = np.asarray(start) + 0.06 * np.array([np.cos(angle), np.sin(angle)])
    return angle if ((ahead > 0) & (ahead < 1)).all() else angle + np.pi


def _single(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    lines = []
    for _ in range(int(rng.integers(1, 4))):
        start = _start(rng, style)
        angle = _inwards(start, _heading(rng, style))
        lines.append(_walk(rng, style, start, angle, rng.uniform(0.15, 1.3)))
    return lines


def _short(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    start = _start(rng, style)
    angle = _inwards(start, _heading(rng, style))
    return [_walk(rng, style, start, angle, rng.uniform(0.07, 0.25))]


def _star(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    """Rays from an impact."""
    centre = (rng.uniform(0.1, 0.9), rng.uniform(0.1, 0.9))
    rays = int(rng.integers(3, 7))
    reach = rng.uniform(0.2, 1.2)
    return [
        _walk(rng, style, centre, _heading(rng, style), reach * rng.uniform(0.3, 1.0))
        for _ in range(rays)
    ]


def _parallel(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    angle = _heading(rng, style) if rng.random() < 0.6 else rng.normal(0, 0.05)
    across = np.array([-np.sin(angle), np.cos(angle)])
    start = np.array(_start(rng, style))
    pitch = rng.uniform(0.03, 0.2)
    return [
        _walk(rng, style, (float(x), float(y)), angle, rng.uniform(0.2, 1.2))
        for x, y in (start + across * pitch * k for k in range(int(rng.integers(2, 6))))
        if 0 < x < 1 and 0 < y < 1
    ]


def _dendrite(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    """A crack with branches, and branches of these."""
    start = _start(rng, style)
    trunk = _walk(rng, style, start, _inwards(start, _heading(rng, style)), rng.uniform(0.4, 1.3))
    lines, fresh = [trunk], [trunk]
    for generation in range(2):
        fresh = [
            _walk(
                rng, style, parent[int(rng.integers(1, len(parent)))], _heading(rng, style), length
            )
            for parent in fresh
            for length in rng.uniform(0.08, 0.6 / (generation + 1), int(rng.integers(0, 4)))
        ]
        lines += fresh
    return lines


def _shatter(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    """Many cracks through one region."""
    centre = rng.uniform(0.1, 0.9, 2)
    spread = rng.uniform(0.08, 0.3)
    starts = np.clip(centre + rng.normal(0, spread, (int(rng.integers(7, 24)), 2)), 0.02, 0.98)
    return [
        _walk(rng, style, (float(x), float(y)), _heading(rng, style), rng.uniform(0.1, 0.7))
        for x, y in starts
    ]


def _arc(rng: Rng, style: ModuleStyle) -> list[Polyline]:
    """A crack around a pressed spot."""
    start = np.array(_start(rng, style))
    angle = _inwards((float(start[0]), float(start[1])), _heading(rng, style))
    bend = rng.normal(0, 1.0) * STEP / 0.25
    headings = angle + bend * np.arange(int(rng.uniform(0.2, 1.0) / STEP))
    xy = start + np.cumsum(np.column_stack([np.cos(headings), np.sin(headings)]) * STEP, axis=0)
    return [((float(start[0]), float(start[1])), *((float(x), float(y)) for x, y in xy))]


_PATTERNS = {
    "single": _single,
    "short": _short,
    "star": _star,
    "parallel": _parallel,
    "dendrite": _dendrite,
    "shatter": _shatter,
    "arc": _arc,
}
