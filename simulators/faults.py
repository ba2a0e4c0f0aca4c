"""Faults that a simulator shows when told to: once, or until cleared.

    washer.faults.once("late_reply")         # what any device does to its next reply
    tester.faults.once("truncate@FETC")      # ... to its next reply to a request with FETC
    tester.faults.always("lamp_fails")       # what this kind of device can do besides

Each simulated device names its own faults in its docstring; those of every wire are
``drop_reply``, ``late_reply``, ``corrupt``, ``truncate`` and ``hang_up`` (``simulators.wire``).
"""

from __future__ import annotations

from collections import Counter


class Faults:
    """The faults of one simulated device, by name."""

    def __init__(self) -> None:
        self._once: Counter[str] = Counter()
        self._always: set[str] = set()

    def once(self, name: str, times: int = 1) -> None:
        """Show a fault the next ``times`` it can be shown."""
        self._once[name] += times

    def always(self, name: str) -> None:
        """Show a fault until it is cleared."""
        self._always.add(name)

    def clear(self, name: str | None = None) -> None:
        """Stop showing one fault, or all."""
        if name is None:
            self._always.clear()
            self._once.clear()
        else:
            self._always.discard(name)
            del self._once[name]

    def take(self, name: str) -> bool:
        """Whether to show this fault now."""
        if name in self._always:
            return True
        if self._once[name] > 0:
            self._once[name] -= 1
            return True
        return False

    def take_for(self, name: str, request: bytes) -> bool:
        """Whether to show ``name``, or ``name@PART`` where ``request`` holds PART."""
        planned = [*self._always, *(key for key, left in self._once.items() if left > 0)]
        for key in planned:
            fault, at, part = key.partition("@")
            if fault == name and (not at or part.encode() in request):
                return self.take(key)
        return False
