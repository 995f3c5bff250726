"""How often callers at one network address may do something: counted in this process, whatever they delete meanwhile."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable

from core.errors import LimitError

HOUR = 3600.0
KEYS_KEPT = 20_000


class Pace:
    """At most ``most`` actions of one address within ``seconds``. ``refusal``: a sentence with a place ``{wait}`` for the
    minutes. ``clock``: seconds. Safe to use from several threads."""

    def __init__(
        self, most: int, refusal: str, *, seconds: float = HOUR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most, self._refusal, self._seconds, self._clock = most, refusal, seconds, clock
        self._done: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, address: str, count: int = 1) -> None:
        """Count so many actions; raises ``LimitError`` (code "limit_hour"), counting nothing, when that is too many."""
        with self._lock:
            now = self._clock()
            done = self._done.setdefault(address, deque())
            self._done.move_to_end(address)
            while done and done[0] <= now - self._seconds:
                done.popleft()
            if len(done) + count > self._most:
                place = len(done) + count - self._most - 1
                wait = (done[place] if place < len(done) else now) + self._seconds - now
                minutes = max(1, math.ceil(wait / 60))
                said = f"{minutes} minute{'' if minutes == 1 else 's'}"
                raise LimitError(self._refusal.format(wait=said), code="limit_hour")
            done.extend([now] * count)
            while len(self._done) > KEYS_KEPT:
                self._done.popitem(last=False)
