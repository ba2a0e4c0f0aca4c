"""Alarms after ISA-18.2 (IEC 62682): their states, one table of transitions, and each kind.

What an alarm means, and what to do, is in ``config/texts.toml`` under the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlarmState(StrEnum):
    """Where an alarm is (ISA-18.2, figure 3)."""

    NORMAL = "normal"
    UNACKNOWLEDGED = "unacknowledged"
    ACKNOWLEDGED = "acknowledged"
    RETURNED = "returned"  # its cause is gone, and nobody has seen it
    SHELVED = "shelved"
    SHELVED_NORMAL = "shelved_normal"  # its cause went while it was shelved


class AlarmEvent(StrEnum):
    """What moves an alarm."""

    RAISE = "raise"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"


class Priority(StrEnum):
    """How soon a person must act."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


_S, _E = AlarmState, AlarmEvent

TRANSITIONS: dict[tuple[AlarmState, AlarmEvent], AlarmState] = {
    (_S.NORMAL, _E.RAISE): _S.UNACKNOWLEDGED,
    (_S.UNACKNOWLEDGED, _E.RAISE): _S.UNACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _E.RAISE): _S.UNACKNOWLEDGED,  # it says something new
    (_S.RETURNED, _E.RAISE): _S.UNACKNOWLEDGED,
    (_S.SHELVED, _E.RAISE): _S.SHELVED,
    (_S.SHELVED_NORMAL, _E.RAISE): _S.SHELVED,
    (_S.UNACKNOWLEDGED, _E.RETURN): _S.RETURNED,
    (_S.ACKNOWLEDGED, _E.RETURN): _S.NORMAL,
    (_S.SHELVED, _E.RETURN): _S.SHELVED_NORMAL,
    (_S.UNACKNOWLEDGED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.ACKNOWLEDGED, _E.ACKNOWLEDGE): _S.ACKNOWLEDGED,
    (_S.RETURNED, _E.ACKNOWLEDGE): _S.NORMAL,
    (_S.UNACKNOWLEDGED, _E.SHELVE): _S.SHELVED,
    (_S.ACKNOWLEDGED, _E.SHELVE): _S.SHELVED,
    (_S.RETURNED, _E.SHELVE): _S.SHELVED_NORMAL,
    (_S.SHELVED, _E.UNSHELVE): _S.UNACKNOWLEDGED,
    (_S.SHELVED_NORMAL, _E.UNSHELVE): _S.NORMAL,
}

ACTIVE = frozenset({_S.UNACKNOWLEDGED, _S.ACKNOWLEDGED, _S.SHELVED})
SHELVED = frozenset({_S.SHELVED, _S.SHELVED_NORMAL})


@dataclass(frozen=True, slots=True)
class Kind:
    """What an alarm's code stands for. A safety alarm is never shelved."""

    priority: Priority
    safety: bool = False


_SAFETY = Kind(Priority.HIGH, safety=True)
_HIGH, _MEDIUM, _LOW = Kind(Priority.HIGH), Kind(Priority.MEDIUM), Kind(Priority.LOW)

KINDS: dict[str, Kind] = {
    "InterlockOpen": _SAFETY,
    "PanelLive": _SAFETY,
    "emergency_stop": _SAFETY,
    "guard_open": _SAFETY,
    "heartbeat_lost": _SAFETY,
    "dryer_overheated": _SAFETY,
    "station_fault": _HIGH,
    "disk_full": _HIGH,
    "write": _HIGH,
    "sealed": _HIGH,
    "unknown_panel": _HIGH,
    "grading_failed": _HIGH,
    "record_refused": _HIGH,
    "IdentityChanged": _HIGH,
    "belt_blocked": _HIGH,
    "pump_failed": _HIGH,
    "brush_overload": _HIGH,
    "tank_empty": _HIGH,
    "DeviceUnreachable": _MEDIUM,
    "DeviceTimeout": _MEDIUM,
    "ProtocolError": _MEDIUM,
    "DeviceRefused": _MEDIUM,
    "scan_refused": _LOW,
    "tank_low": _LOW,
    "conductivity_high": _LOW,
    "filter_dirty": _LOW,
    "water_cold": _LOW,
}


def kind_of(code: str) -> Kind:
    """Return an alarm's kind; a code that nobody entered is taken for the gravest."""
    return KINDS.get(code, _SAFETY)
