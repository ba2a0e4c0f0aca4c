"""Where each panel is, from the zone sensors alone: pure, and the same after a restart.

Panels cannot overtake each other on a belt. So a zone that becomes occupied received the panel
that was last seen in the zone before it; the infeed receives the panel that was announced. What
does not fit is reported, never guessed; the barcode in the cabinet confirms every panel again.

The belt runs on for a few seconds while nobody looks (a restart, a lost link: until the washer's
watchdog stops it). So at the first look after that a panel may have passed whole zones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.roles import Zone

ORDER = tuple(Zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A panel was seen in a new zone."""

    inspection_id: str
    zone: Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A zone became occupied by a panel that nobody announced."""

    zone: Zone


@dataclass(slots=True)
class Tracker:
    """Follows panels along the belt.

    ``announced`` is the panel that the infeed will receive next; ``occupants`` says which panel
    was last seen where. A panel that has left its zone's sensor and not reached the next is
    still listed in the zone that it left.
    """

    announced: str | None = None
    occupants: dict[Zone, str] = field(default_factory=dict)
    _blind: bool = True  # nobody has looked since the panels were last where they are listed
    _clearing: set[Zone] = field(default_factory=set)
    _strangers: set[Zone] = field(default_factory=set)
    _seen: set[Zone] = field(default_factory=lambda: set(ORDER))  # occupied at the last reading

    def update(self, presence: Mapping[Zone, bool]) -> list[Moved | Stranger]:
        """Take one reading of the sensors; return what happened, furthest zone first."""
        events: list[Moved | Stranger] = []
        if self._blind:
            events.extend(self._found_again(presence))
        for zone in reversed(ORDER):
            if not presence[zone]:
                self._clearing.discard(zone)
                self._strangers.discard(zone)
            elif self._is_new(zone, presence):
                events.append(self._arrival(zone, presence))
        self._blind = False
        self._seen = {zone for zone in ORDER if presence[zone]}
        return events

    @property
    def may_announce(self) -> bool:
        """Whether the next panel may be put on the infeed without being taken for another.

        The infeed's sensor was seen empty, and the panel before has reached the next zone.
        """
        infeed = ORDER[0]
        return infeed not in self._seen and infeed not in self.occupants and self.announced is None

    def lost_sight(self) -> None:
        """Say that the sensors could not be read for a while."""
        self._blind = True

    def take_from(self, zone: Zone) -> str | None:
        """Let the panel at ``zone`` go; its sensor may stay on for a while, if it was on."""
        if zone in self._seen:
            self._clearing.add(zone)
        return self.occupants.pop(zone, None)

    def forget(self, inspection_id: str) -> None:
        """Take a panel out of the tracking, wherever it is."""
        if self.announced == inspection_id:
            self.announced = None
        for zone in [z for z, held in self.occupants.items() if held == inspection_id]:
            self.take_from(zone)

    def _found_again(self, presence: Mapping[Zone, bool]) -> list[Moved | Stranger]:
        """Panels keep their order: as many seen as listed, none behind its place, are the same."""
        seen = [zone for zone in reversed(ORDER) if presence[zone]]
        listed = [
            (zone, self.occupants.get(zone))  # nobody's panels take part in the order too
            for zone in reversed(ORDER)
            if zone in self.occupants or zone in self._strangers
        ]
        pairs = list(zip(seen, listed, strict=False))
        if len(seen) != len(listed) or any(
            ORDER.index(zone) < ORDER.index(was) for zone, (was, _) in pairs
        ):
            return []
        self.occupants = {zone: name for zone, (_, name) in pairs if name is not None}
        self._strangers = {zone for zone, (_, name) in pairs if name is None}
        return [
            Stranger(zone=zone) if name is None else Moved(inspection_id=name, zone=zone)
            for zone, (was, name) in pairs
            if zone != was
        ]

    def _is_new(self, zone: Zone, presence: Mapping[Zone, bool]) -> bool:
        """Whether the panel on the sensor is another than the one that was there before."""
        if zone in self.occupants or zone in self._strangers:
            return False
        if zone not in self._clearing:
            return True
        # One panel left and the next came between two readings, if the next is gone from behind.
        if zone is ORDER[0]:
            return False
        before = ORDER[ORDER.index(zone) - 1]
        return before in self.occupants and not presence[before]

    def _arrival(self, zone: Zone, presence: Mapping[Zone, bool]) -> Moved | Stranger:
        panel = self._panel_before(zone, presence)
        if panel is None:
            self._strangers.add(zone)  # reported once, not at every reading
            return Stranger(zone=zone)
        self.occupants[zone] = panel
        return Moved(inspection_id=panel, zone=zone)

    def _panel_before(self, zone: Zone, presence: Mapping[Zone, bool]) -> str | None:
        before = ORDER[: ORDER.index(zone)]
        for near, earlier in enumerate(reversed(before)):
            if earlier in self.occupants and (near == 0 or not presence[earlier]):
                return self.take_from(earlier)
            # Further back only unseen, and past nothing that lies there.
            if not self._blind or presence[earlier]:
                return None
        panel, self.announced = self.announced, None
        return panel
