"""What a rendered cell is made of. All positions and sizes are in units of the cell's side.

x runs along the busbars, y across them; fingers run along y.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Polyline = tuple[tuple[float, float], ...]


class Label:
    """Codes of a truth mask, the same as of ``data/el/synth_cells``."""

    SOUND, CRACK, INACTIVE, FINGER, BUSBAR, OUTSIDE = range(6)


class Wafer(StrEnum):
    """How the silicon was grown."""

    MONO = "mono"
    MULTI = "multi"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStyle:
    """What the cells of one module share: type of cell, and camera."""

    wafer: Wafer = Wafer.MONO
    busbars: int = 3
    busbar_width: float = 0.012
    busbar_level: float = 0.4  # EL through the metal, relative to the cell
    busbar_reach: float = 0.97  # share of the cell's side
    busbar_dashes: int = 0  # soldered pads per busbar; 0 is one continuous ribbon
    end_pads: float = 0.0  # back contact: no busbar in front, dark pads of this radius at its ends
    corner: float = 0.0  # leg of a pseudo-square wafer's cut corner, of the whole wafer's side
    margin: float = 0.02  # gap to the next cell that a rectified cell shows
    outside_level: float = 0.1
    aspect: float = 1.0  # 2: a half-cut cell stretched to a square
    finger_pitch: float = 0.0  # 0: fingers too fine to be seen
    finger_contrast: float = 0.0
    crowding: float = 0.05  # brighter (+) or darker (−) near busbars, relative
    solder_marks: float = 0.0  # share of light that marks along the busbars take
    blur: float = 0.005  # standard deviation of the point spread
    glare: float = 0.02  # share of light scattered widely
    noise: float = 0.01  # standard deviation at the bright level
    gamma: float = 1.0
    pedestal: float = 0.0  # stray light, relative to the bright level


@dataclass(frozen=True, slots=True, kw_only=True)
class CrackSpec:
    """A crack line: ``contrast`` is the share of light it takes at its middle."""

    points: Polyline
    width: float = 0.01
    contrast: float = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSpec:
    """An area with less light.

    ``polygon`` bounds it; without one it is the area around ``seed`` that cracks, busbars and
    edges enclose. ``level`` is the light left; ``comb`` how far single fingers differ within;
    ``softness`` the width of its rim; ``speckle`` its graininess; ``ragged`` how far its ends
    differ from finger to finger. A ``harmless`` area is not marked in the truth.
    """

    level: float
    polygon: Polyline = ()
    seed: tuple[float, float] | None = None
    comb: float = 0.0
    softness: float = 0.004
    speckle: float = 0.0
    ragged: float = 0.0
    harmless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FingerSpec:
    """An interrupted finger at ``x`` from ``y0`` to ``y1``."""

    x: float
    y0: float
    y1: float
    width: float = 0.01
    contrast: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class TextureSpec:
    """The wafer's own pattern: none of it is a defect. Contrasts are relative; 0 is absent."""

    seed: int = 0
    grains: int = 0  # number of grains
    grain_contrast: float = 0.0
    boundary_contrast: float = 0.0
    clouds: float = 0.0
    cloud_scale: float = 0.1
    streak: float = 1.0  # how far clouds are drawn out along ``streak_angle``
    streak_angle: float = 0.0
    blotches: int = 0  # dislocation clusters
    blotch_contrast: float = 0.3
    blotch_size: float = 0.04
    speckles: int = 0
    clusters: float = 0.0  # contrast of frayed clusters of dislocations
    cluster_share: float = 0.3  # of the wafer's area, about
    cluster_scale: float = 0.1
    rings: float = 0.0  # striations around a centre
    ring_pitch: float = 0.03
    streaks: int = 0  # bundles of slip lines, narrow and nearly parallel
    streak_contrast: float = 0.2
    belt: float = 0.0  # tyre-track marks of the firing belt
    gradient: tuple[float, float] = (0.0, 0.0)
    edges: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # left, top, right, bottom
    edge_reach: float = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSpec:
    """One cell. ``level`` is its brightness in its module."""

    texture: TextureSpec = TextureSpec()
    cracks: tuple[CrackSpec, ...] = ()
    areas: tuple[AreaSpec, ...] = ()
    fingers: tuple[FingerSpec, ...] = ()
    strips: tuple[float, float] = (1.0, 1.0)  # light beyond the first and the last busbar
    strip_rise: float = 3.0  # how steeply the light falls off there; 30 is a sharp border
    cut_ends: tuple[bool, bool] = (True, True)  # which ends have cut corners; half-cut: one
    level: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0  # rad
    seed: int = 0


def busbar_positions(style: ModuleStyle) -> NDArray[np.float64]:
    """Centres of the busbars across the cell, ``(busbars,)``."""
    return (np.arange(style.busbars) + 0.5) / max(style.busbars, 1)
