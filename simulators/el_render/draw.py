"""Draw modules and cells at random, wide enough that real ones lie within (domain randomisation).

Ranges follow published pictures and statistics: cracks of mono wafers run along ⟨110⟩, that is
±45° to the busbars, those of multi wander; parallel to the busbars is the most frequent
direction after mechanical load (Kajari-Schröder et al. 2011, doi:10.1016/j.solmat.2011.06.032);
crack modes A, B, C after Köntges et al. 2011, doi:10.1016/j.solmat.2010.10.034.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulators.el_render.draw_cracks import crack_pattern
from simulators.el_render.draw_defects import dark_patch, enclosed_areas, fingers, mild_patch
from simulators.el_render.spec import AreaSpec, CellSpec, CrackSpec, ModuleStyle, TextureSpec, Wafer

Rng = np.random.Generator


def chance(rng: Rng, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_style(rng: Rng, *, wafer: Wafer | None = None) -> ModuleStyle:
    """What the cells of one random module share."""
    wafer = wafer or (Wafer.MONO if chance(rng, 0.45) else Wafer.MULTI)
    busbars = int(
        rng.choice([0, 2, 3, 4, 5, 6, 9, 12], p=[0.02, 0.2, 0.42, 0.13, 0.12, 0.04, 0.04, 0.03])
    )
    fine = busbars > 5
    return ModuleStyle(
        wafer=wafer,
        busbars=busbars,
        busbar_width=rng.uniform(0.004, 0.008) if fine else rng.uniform(0.007, 0.02),
        busbar_level=rng.uniform(0.15, 0.85),
        busbar_reach=rng.uniform(0.88, 1.0),
        busbar_dashes=int(rng.integers(3, 13)) if chance(rng, 0.35) else 0,
        end_pads=rng.uniform(0.02, 0.06) if wafer is Wafer.MONO and chance(rng, 0.1) else 0.0,
        solder_marks=rng.uniform(0.1, 0.5) if chance(rng, 0.3) else 0.0,
        corner=rng.uniform(0.02, 0.14) if wafer is Wafer.MONO and chance(rng, 0.85) else 0.0,
        margin=rng.uniform(0.0, 0.03),
        outside_level=rng.uniform(0.02, 0.45),
        aspect=2.0 if chance(rng, 0.18) else 1.0,
        finger_pitch=rng.uniform(0.012, 0.03) if chance(rng, 0.25) else 0.0,
        finger_contrast=rng.uniform(0.02, 0.2),
        crowding=float(rng.normal(0, 0.05)),
        blur=log_uniform(rng, 0.002, 0.0095),
        glare=rng.uniform(0.0, 0.12),
        noise=log_uniform(rng, 0.002, 0.04),
        gamma=rng.uniform(0.75, 1.35),
        pedestal=rng.uniform(0.0, 0.15) if chance(rng, 0.5) else 0.0,
    )


def draw_texture(rng: Rng, wafer: Wafer) -> TextureSpec:
    """The pattern of one sound wafer."""
    common = TextureSpec(
        seed=int(rng.integers(2**31)),
        gradient=(float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))),
        edges=_edges(rng, 0.35 if wafer is Wafer.MULTI else 0.2),
        edge_reach=rng.uniform(0.02, 0.16),
    )
    if wafer is Wafer.MONO:
        return replace(
            common,
            clouds=rng.uniform(0.0, 0.06) if chance(rng, 0.5) else 0.0,
            cloud_scale=rng.uniform(0.03, 0.4),
            blotches=int(rng.integers(1, 5)) if chance(rng, 0.25) else 0,
            blotch_contrast=rng.uniform(0.03, 0.15),
            blotch_size=rng.uniform(0.006, 0.03),
            rings=rng.uniform(0.005, 0.04) if chance(rng, 0.2) else 0.0,
            ring_pitch=rng.uniform(0.02, 0.08),
            belt=rng.uniform(0.01, 0.06) if chance(rng, 0.15) else 0.0,
        )
    return replace(
        common,
        grains=int(log_uniform(rng, 20, 500)),
        grain_contrast=rng.uniform(0.0, 0.04),
        boundary_contrast=rng.uniform(0.03, 0.3) if chance(rng, 0.35) else 0.0,
        clouds=rng.uniform(0.03, 0.3) if chance(rng, 0.7) else 0.0,
        cloud_scale=log_uniform(rng, 0.03, 0.25),
        streak=rng.uniform(1.0, 5.0) if chance(rng, 0.5) else 1.0,
        streak_angle=float(rng.choice([np.pi / 2, rng.uniform(0, np.pi)])),
        blotches=int(log_uniform(rng, 3, 70)) if chance(rng, 0.65) else 0,
        blotch_contrast=rng.uniform(0.1, 0.65),
        blotch_size=log_uniform(rng, 0.01, 0.05),
        speckles=int(log_uniform(rng, 10, 250)) if chance(rng, 0.4) else 0,
        clusters=log_uniform(rng, 0.06, 0.5) if chance(rng, 0.5) else 0.0,
        cluster_share=log_uniform(rng, 0.02, 0.5),
        cluster_scale=log_uniform(rng, 0.02, 0.15),
        streaks=int(rng.integers(1, 8)) if chance(rng, 0.3) else 0,
        streak_contrast=log_uniform(rng, 0.05, 0.35),
        belt=rng.uniform(0.01, 0.04) if chance(rng, 0.08) else 0.0,
    )


def _strips(rng: Rng) -> tuple[float, float]:
    """Free finger ends are often a little dimmer; that alone is no defect."""
    if chance(rng, 0.6):
        return (1.0, 1.0)
    return (rng.uniform(0.78, 1.03), rng.uniform(0.78, 1.03))


def _cut_ends(rng: Rng, style: ModuleStyle) -> tuple[bool, bool]:
    if style.aspect == 1.0:
        return (True, True)
    first = chance(rng, 0.5)
    return (first, not first)


def _edges(rng: Rng, probability: float) -> tuple[float, float, float, float]:
    depth = rng.uniform(0.05, 0.7, 4) * (rng.random(4) < probability / 2)
    return (float(depth[0]), float(depth[1]), float(depth[2]), float(depth[3]))


def draw_cell(
    rng: Rng,
    style: ModuleStyle,
    *,
    defective: bool | None = None,
    texture: TextureSpec | None = None,
) -> CellSpec:
    """One random cell of a module; sound but for its fingers unless ``defective``."""
    defective = chance(rng, 0.5) if defective is None else defective
    texture = texture or draw_texture(rng, style.wafer)
    cracks: tuple[CrackSpec, ...] = ()
    areas: tuple[AreaSpec, ...] = ()
    if defective:
        kind = rng.choice(["cracks", "areas", "patch", "both"], p=[0.5, 0.2, 0.2, 0.1])
        if kind != "patch":
            cracks = crack_pattern(rng, style)
        if kind in ("areas", "both"):
            areas = enclosed_areas(rng, style, cracks)
        if kind in ("patch", "both"):
            areas = (*areas, *dark_patch(rng, style))
    elif chance(rng, 0.15):
        areas = mild_patch(rng, style)
    return CellSpec(
        texture=texture,
        cracks=cracks,
        areas=areas,
        fingers=fingers(rng, style),
        strips=_strips(rng),
        strip_rise=rng.uniform(8, 40) if chance(rng, 0.35) else 3.0,
        cut_ends=_cut_ends(rng, style),
        level=float(np.exp(rng.normal(0, 0.08))),
        shift=(float(rng.normal(0, 0.006)), float(rng.normal(0, 0.006))),
        turn=float(rng.normal(0, 0.008)),
        seed=int(rng.integers(2**31)),
    )
