"""What is physically there: the panel in the cabinet, the door, and the current through it.

Simulated devices share one world, as real ones do; they know nothing of each other otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from grading.values import ImageArray, IVCurve, Nameplate, SafetyRecord, Sweep


class TruePanel(Protocol):
    """One panel as it really is; I-V and EL both follow from it."""

    @property
    def panel_id(self) -> str:
        """What its barcode says."""
        ...

    @property
    def serial(self) -> str:
        """The maker's serial."""
        ...

    @property
    def nameplate(self) -> Nameplate:
        """What its label says."""
        ...

    @property
    def visual_defects(self) -> tuple[str, ...]:
        """What somebody who looks at it sees."""
        ...

    @property
    def safety(self) -> SafetyRecord:
        """Its insulation and its ground path."""
        ...

    def sweep(self, direction: Sweep, *, irradiance: float, points: int) -> IVCurve:
        """Return what a tester would measure in one sweep, noise included."""
        ...

    def photograph(self, *, current: float) -> ImageArray:
        """Return the EL picture at ``current`` [A] injected; at 0 A it is a dark frame."""
        ...

    def forward_voltage(self, *, current: float) -> float:
        """Return the voltage [V] at which the panel takes ``current`` [A] in the dark."""
        ...

    def reverse_voltage(self, *, current: float) -> float:
        """Return the voltage [V] at which its bypass diodes take ``current`` [A], backwards."""
        ...


@dataclass(slots=True)
class World:
    """The cabinet and what is in it."""

    panel: TruePanel | None = None
    door_closed: bool = True
    circuit_closed: bool = True
    injected_current: float = 0.0  # A, really flowing
