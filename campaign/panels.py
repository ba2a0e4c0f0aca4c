"""Panels that can be told apart: each carries its number in its curve and in its picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from grading.values import ImageArray, IVCurve, Nameplate, SafetyRecord, Sweep
from simulators.population import Condition, MadeUpPanel, make_panel

SHARES = (
    *(Condition.SOUND,) * 4,
    Condition.WORN,
    Condition.CRACKED,
    Condition.CELL_LOST,
    Condition.SHORTED_DIODE,
    Condition.OPEN_DIODE,
    Condition.WEAK_INSULATION,
    Condition.LEAKS_WET,
    Condition.BROKEN_GLASS,
)
MAY_PASS = frozenset({Condition.SOUND, Condition.WORN, Condition.CRACKED})
MARK = 1e-7  # of the current, for each number
BITS = 32


@dataclass(frozen=True, kw_only=True)
class NumberedPanel:
    """One panel as it really is (``simulators.world.TruePanel``), made after ``base``."""

    number: int
    base: MadeUpPanel

    @property
    def panel_id(self) -> str:
        """What its barcode says."""
        return f"ZC{self.number:08d}"

    @property
    def serial(self) -> str:
        """The maker's serial."""
        return f"S{self.number:08d}"

    @property
    def nameplate(self) -> Nameplate:
        """What its label says."""
        return self.base.nameplate

    @property
    def visual_defects(self) -> tuple[str, ...]:
        """What somebody who looks at it sees."""
        return self.base.visual_defects

    @property
    def safety(self) -> SafetyRecord:
        """Its insulation and its ground path."""
        return self.base.safety

    def sweep(self, direction: Sweep, *, irradiance: float, points: int) -> IVCurve:
        """Return one sweep; its current carries the number, far below the noise."""
        curve = self.base.sweep(direction, irradiance=irradiance, points=points)
        return replace(curve, current=curve.current * (1 + MARK * (self.number % 10_000)))

    def photograph(self, *, current: float) -> ImageArray:
        """Return the picture; the lowest bits of its first pixels are the number."""
        pixels = self.base.photograph(current=current).copy()
        bits = (self.number >> np.arange(BITS)) & 1
        pixels[0, :BITS] = (pixels[0, :BITS] & ~np.uint16(1)) | bits.astype(np.uint16)
        return pixels

    def forward_voltage(self, *, current: float) -> float:
        """Return the voltage [V] at which the panel takes ``current`` [A] in the dark."""
        return self.base.forward_voltage(current=current)

    def reverse_voltage(self, *, current: float) -> float:
        """Return the voltage [V] of its bypass diodes."""
        return self.base.reverse_voltage(current=current)


def number_in(pixels: ImageArray) -> int:
    """Return the number that a picture carries."""
    bits = (pixels[0, :BITS] & 1).astype(np.int64)
    return int((bits << np.arange(BITS)).sum())


@dataclass
class Supply:
    """Panels for ever, neighbours always of different make; remembers all that it gave out."""

    seed: int
    given: dict[str, NumberedPanel] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._bases = [
            make_panel(number, seed=self.seed, condition=condition)
            for number, condition in enumerate(SHARES, start=1)
        ]
        self._order = np.random.default_rng(self.seed)
        self._numbers = itertools.count(1)

    def __iter__(self) -> Iterator[NumberedPanel]:
        return self._endless()

    def _endless(self) -> Iterator[NumberedPanel]:
        while True:
            for index in self._order.permutation(len(self._bases)):
                yield self._give(int(index))

    def stranger(self) -> NumberedPanel:
        """Return a sound panel that nobody brought to the intake."""
        return NumberedPanel(number=next(self._numbers) + 90_000_000, base=self._bases[0])

    def _give(self, index: int) -> NumberedPanel:
        panel = NumberedPanel(number=next(self._numbers), base=self._bases[index])
        self.given[panel.panel_id] = panel
        return panel
