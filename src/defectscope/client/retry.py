"""When a call is made again, and when the client stops trying."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from defectscope.errors import EndpointTimeoutError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a failed call is repeated.

    The wait before repetition n is drawn evenly from 0 to min(cap_s, base_s * 2**n), which
    spreads callers that failed together.
    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter).

    Attributes:
        attempts: Calls in all, the first included.
        base_s: Ceiling of the first wait, in seconds.
        cap_s: Ceiling of every wait, in seconds.
    """

    attempts: int = 4
    base_s: float = 0.2
    cap_s: float = 10.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.base_s < 0 or self.cap_s < 0:
            raise ValueError("attempts must be at least 1, waits not negative")

    def wait_s(self, repetition: int, rng: random.Random) -> float:
        """Returns the wait in seconds before a repetition, the first being 0."""
        return rng.uniform(0.0, min(self.cap_s, self.base_s * 2.0**repetition))


@dataclass(slots=True)
class RetryBudget:
    """Caps repetitions as a share of all calls, so that an outage is not met by a storm.

    Each repetition takes one token, each success gives back `refund`; the bucket starts full.

    Attributes:
        capacity: Repetitions in a row that a client may spend, all its calls together.
        refund: Tokens given back by a success.
    """

    capacity: float = 20.0
    refund: float = 0.2
    _tokens: float = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._tokens = self.capacity

    def spend(self) -> bool:
        """Takes a token; says False when there is none left."""
        with self._lock:
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def succeeded(self) -> None:
        """Returns back a part of a token."""
        with self._lock:
            self._tokens = min(self.capacity, self._tokens + self.refund)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment after which nobody waits for the answer any more; `at_s` is None for never."""

    at_s: float | None
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(
        cls, timeout_s: float | None, clock: Callable[[], float] = time.monotonic
    ) -> Deadline:
        """Returns the moment `timeout_s` seconds from now."""
        return cls(None if timeout_s is None else clock() + timeout_s, clock)

    def left_s(self, ceiling_s: float) -> float:
        """Returns the seconds that a step may take, at most `ceiling_s`.

        Raises:
            EndpointTimeoutError: The deadline has passed.
        """
        if self.at_s is None:
            return ceiling_s
        left = self.at_s - self.clock()
        if left <= 0.0:
            raise EndpointTimeoutError("no answer within the deadline")
        return min(left, ceiling_s)

    def allows(self, wait_s: float) -> bool:
        """Says whether there is still time for a wait of that many seconds."""
        return self.at_s is None or self.clock() + wait_s < self.at_s
