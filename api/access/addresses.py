"""How often each address was wrong lately."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable
from threading import Lock

from api.access.values import TooManyAttempts

MOST_WRONG, WINDOW = 20, 60.0  # of one address, in s
MOST_ADDRESSES = 1000


class Addresses:
    """Keeps an address from trying out one name after another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._wrong: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = Lock()

    def check(self, address: str) -> None:
        """Raise TooManyAttempts where an address has been wrong too often."""
        now = self._clock()
        with self._lock:
            if len(self._wrong) > MOST_ADDRESSES:
                self._wrong.clear()
            moments = self._wrong[address]
            while moments and moments[0] < now - WINDOW:
                moments.popleft()
            if len(moments) >= MOST_WRONG:
                raise TooManyAttempts(int(moments[0] + WINDOW - now) + 1)
            moments.append(now)  # taken off again where it was right

    def right(self, address: str) -> None:
        """Forget what an address did wrong."""
        with self._lock:
            self._wrong.pop(address, None)
