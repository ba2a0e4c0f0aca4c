"""Areas with less light and interrupted fingers, drawn at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simulators.el_render.spec import AreaSpec, CrackSpec, FingerSpec, ModuleStyle, Polyline

Rng = np.random.Generator


def fingers(rng: Rng, style: ModuleStyle) -> tuple[FingerSpec, ...]:
    """Interrupted fingers: between two busbars, or from a busbar to the edge."""
    if rng.random() < 0.35 or style.busbars > 6:
        return ()
    walls = _walls(style)
    count = int(min(rng.geometric(0.18), 25))
    contrast = float(np.exp(rng.uniform(np.log(0.03), np.log(0.4))))
    group = rng.uniform(0.05, 0.95)
    grouped = rng.random() < 0.3
    result = []
    for _ in range(count):
        gap = int(rng.integers(len(walls) - 1))
        low, high = walls[gap], walls[gap + 1]
        x = group + rng.normal(0, 0.06) if grouped else rng.uniform(0.04, 0.96)
        y0, y1 = _finger_reach(rng, low, high)
        result.append(
            FingerSpec(
                x=float(np.clip(x, 0.03, 0.97)),
                y0=y0,
                y1=y1,
                width=rng.uniform(0.005, 0.014),
                contrast=float(np.clip(contrast * rng.lognormal(0, 0.35), 0.03, 0.6)),
            )
        )
    return tuple(result)


def _walls(style: ModuleStyle) -> list[float]:
    inner = [(k + 0.5) / style.busbars for k in range(style.busbars)]
    return [0.01, *inner, 0.99]


def _finger_reach(rng: Rng, low: float, high: float) -> tuple[float, float]:
    """An interruption starves the finger from a break on, or between two breaks."""
    height = high - low
    if rng.random() < 0.4:
        return low, high
    if rng.random() < 0.5:
        return (low, low + height * rng.uniform(0.2, 0.9))
    return (high - height * rng.uniform(0.2, 0.9), high)


def enclosed_areas(
    rng: Rng, style: ModuleStyle, cracks: Sequence[CrackSpec]
) -> tuple[AreaSpec, ...]:
    """Areas that cracks cut off: beside the cracks, of class B (dim) or C (dark)."""
    if not cracks:
        return dark_patch(rng, style)
    areas = []
    comb = rng.uniform(0.1, 0.7) if rng.random() < 0.5 else 0.0
    for _ in range(int(rng.integers(1, 6))):
        line = cracks[int(rng.integers(len(cracks)))].points
        at = np.array(line[int(rng.integers(len(line)))])
        seed = np.clip(at + rng.normal(0, 0.06, 2), 0.02, 0.98)
        areas.append(
            AreaSpec(
                seed=(float(seed[0]), float(seed[1])),
                level=_level(rng),
                comb=comb,
                softness=rng.uniform(0.001, 0.006),
                speckle=rng.uniform(0, 0.2),
            )
        )
    return tuple(areas)


def _level(rng: Rng) -> float:
    """Light left: dark where cut off, dim where the resistance has risen."""
    return float(rng.uniform(0.03, 0.3) if rng.random() < 0.5 else rng.uniform(0.3, 0.82))


def dark_patch(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """Dark areas without a crack: one of the known kinds."""
    kind = rng.choice(
        ["band", "contact", "blob", "spot", "corner", "wedge", "half", "chip"],
        p=[0.17, 0.12, 0.17, 0.1, 0.12, 0.14, 0.03, 0.15],
    )
    return _PATCHES[kind](rng, style)


def mild_patch(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """Fingers of a little higher resistance: the cell is sound all the same."""
    low, high = _gap(rng, style)
    centre, width = rng.uniform(0, 1), rng.uniform(0.04, 0.4)
    return (
        AreaSpec(
            polygon=_rectangle(max(centre - width / 2, 0), low, min(centre + width / 2, 1), high),
            level=rng.uniform(0.82, 0.95),
            comb=rng.uniform(0.03, 0.15),
            ragged=rng.uniform(0.0, 0.05),
            softness=rng.uniform(0.004, 0.02),
            harmless=True,
        ),
    )


def _rectangle(x0: float, y0: float, x1: float, y1: float) -> Polyline:
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _gap(rng: Rng, style: ModuleStyle) -> tuple[float, float]:
    walls = _walls(style)
    gap = int(rng.integers(len(walls) - 1))
    return walls[gap], walls[gap + 1]


def _band(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """The strip beyond the outer busbar, whose fingers broke along the ribbon."""
    walls = _walls(style)
    low, high = (walls[0], walls[1]) if rng.random() < 0.5 else (walls[-2], walls[-1])
    if rng.random() < 0.25:
        low, high = _gap(rng, style)
    x0, x1 = (0.0, 1.0) if rng.random() < 0.5 else np.sort(rng.uniform(0, 1, 2)).tolist()
    x1 = max(x1, min(x0 + 0.15, 1.0))
    ragged = rng.uniform(0.002, 0.03) if rng.random() < 0.7 else 0.0
    polygon = _rectangle(x0, low - 0.02 * (low < 0.05), x1, high + 0.02 * (high > 0.95))
    return (
        AreaSpec(
            polygon=polygon,
            level=_level(rng),
            comb=rng.uniform(0, 0.5),
            ragged=ragged,
            softness=rng.uniform(0.001, 0.01),
        ),
    )


def _contact(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """Fingers without contact between two busbars."""
    low, high = _gap(rng, style)
    centre, width = rng.uniform(0, 1), rng.uniform(0.04, 0.35)
    height = (high - low) * (1.0 if rng.random() < 0.6 else rng.uniform(0.4, 1.0))
    polygon = _rectangle(
        max(centre - width / 2, 0), high - height, min(centre + width / 2, 1), high
    )
    return (
        AreaSpec(
            polygon=polygon,
            level=rng.uniform(0.15, 0.75),
            comb=rng.uniform(0.1, 0.8),
            ragged=rng.uniform(0, 0.03),
            softness=rng.uniform(0.001, 0.008),
        ),
    )


def _blob_polygon(rng: Rng, centre: tuple[float, float], rx: float, ry: float) -> Polyline:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = np.ones_like(angle)
    for order in (2, 3, 4, 6):
        radius += rng.normal(0, 0.28 / order) * np.cos(order * angle + rng.uniform(0, 6))
    radius = np.clip(radius, 0.25, 2)
    x, y = centre[0] + rx * radius * np.cos(angle), centre[1] + ry * radius * np.sin(angle)
    return tuple((float(a), float(b)) for a, b in zip(x, y, strict=True))


def _blob(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """A burnt or shunted region, often drawn out along the busbars."""
    centre = (rng.uniform(0.05, 0.95), rng.uniform(0.05, 0.95))
    radius = np.exp(rng.uniform(np.log(0.03), np.log(0.3)))
    squeeze = rng.uniform(0.25, 1.0)
    return (
        AreaSpec(
            polygon=_blob_polygon(rng, centre, radius, radius * squeeze),
            level=rng.uniform(0.03, 0.5),
            softness=rng.uniform(0.002, 0.035),
            speckle=rng.uniform(0.2, 0.8) if rng.random() < 0.3 else 0.0,
        ),
    )


def _spot(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """A few small, very dark spots."""
    centre = rng.uniform(0.05, 0.95, 2)
    spots = []
    for _ in range(int(rng.integers(1, 4))):
        at = np.clip(centre + rng.normal(0, 0.1, 2), 0.03, 0.97)
        radius = rng.uniform(0.014, 0.04)
        spots.append(
            AreaSpec(
                polygon=_blob_polygon(rng, (float(at[0]), float(at[1])), radius, radius),
                level=rng.uniform(0.03, 0.4),
                softness=rng.uniform(0.002, 0.012),
            )
        )
    return tuple(spots)


def _corner(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """A broken corner."""
    a, b = rng.uniform(0.09, 0.4, 2)
    if style.corner:
        a, b = a + style.corner, b + style.corner
    points = np.array([[0, 0], [a, 0], [0.45 * a + 0.05, 0.45 * b + 0.05], [0, b]])
    if rng.random() < 0.6:
        points = points[[0, 1, 3]]
    flip = rng.random(2) < 0.5
    points = np.where(flip, 1 - points, points)
    return (
        AreaSpec(
            polygon=tuple((float(x), float(y)) for x, y in points),
            level=_level(rng),
            softness=rng.uniform(0.001, 0.006),
        ),
    )


def _wedge(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """An area between an edge and a wandering line: dimmed, with a sharp border."""
    depth = rng.uniform(0.08, 0.5)
    steps = 14
    line = (
        depth
        + np.cumsum(rng.normal(0, 0.02, steps))
        + rng.uniform(-0.3, 0.3) * np.linspace(0, 1, steps)
    )
    along = np.linspace(0, 1, steps)
    points = np.vstack([[0, 0], np.column_stack([along, np.clip(line, 0.02, 0.95)]), [1, 0]])
    if rng.random() < 0.5:
        points[:, 1] = 1 - points[:, 1]
    if rng.random() < 0.3:
        points = points[:, ::-1]
    return (
        AreaSpec(
            polygon=tuple((float(x), float(y)) for x, y in points),
            level=rng.uniform(0.1, 0.86),
            softness=rng.uniform(0.001, 0.004),
            comb=rng.uniform(0, 0.3) if rng.random() < 0.4 else 0.0,
        ),
    )


def _half(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """One side of the cell without contact to its ribbon."""
    edge = rng.uniform(0.3, 0.7)
    x0, x1 = (0.0, edge) if rng.random() < 0.5 else (edge, 1.0)
    return (
        AreaSpec(
            polygon=_rectangle(x0, 0, x1, 1),
            level=rng.uniform(0.2, 0.8),
            softness=rng.uniform(0.01, 0.1),
        ),
    )


def _chip(rng: Rng, style: ModuleStyle) -> tuple[AreaSpec, ...]:
    """A small dark chip at the edge, or on the cut corner, with straight sides."""
    size = rng.uniform(0.03, 0.1)
    along = rng.uniform(0.08, 0.92)
    if style.corner and rng.random() < 0.5:
        along = style.corner * rng.uniform(0.3, 1.2)
    depth = style.margin + (
        max(style.corner + 2 * style.margin - along, 0.0) + size * rng.uniform(0.4, 1)
    )
    points = np.array([[along - size, 0], [along, depth], [along + size, 0]])
    if rng.random() < 0.3:
        points = np.vstack(
            [points[:1], [[along - size * 0.7, depth], [along + size * 0.7, depth]], points[2:]]
        )
    points = np.where(rng.random(2) < 0.5, 1 - points, points)
    if rng.random() < 0.5:
        points = points[:, ::-1]
    return (
        AreaSpec(
            polygon=tuple((float(x), float(y)) for x, y in points),
            level=rng.uniform(0.03, 0.5),
            softness=rng.uniform(0.001, 0.004),
        ),
    )


_PATCHES = {
    "chip": _chip,
    "band": _band,
    "contact": _contact,
    "blob": _blob,
    "spot": _spot,
    "corner": _corner,
    "wedge": _wedge,
    "half": _half,
}
