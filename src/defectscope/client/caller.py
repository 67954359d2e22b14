"""One call, however many attempts it takes: repetition, budget, deadline, events."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from defectscope.client.faults import is_transient
from defectscope.client.hooks import CallEvent, EventKind, Hook
from defectscope.client.retry import Deadline, RetryBudget, RetryPolicy
from defectscope.errors import DefectscopeError

T = TypeVar("T")


class Caller:
    """Makes calls under one retry policy and one retry budget, telling the hooks about each.

    Args:
        policy: How often and how soon to repeat.
        budget: Shared by all calls.
        hooks: Told of every event; what they raise is not caught.
        sleep: Waits; substituted in tests.
        rng: Draws the waits.
    """

    def __init__(
        self,
        *,
        policy: RetryPolicy,
        budget: RetryBudget,
        hooks: Sequence[Hook] = (),
        sleep: Callable[[float], None] = time.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._policy = policy
        self._budget = budget
        self._hooks = tuple(hooks)
        self._sleep = sleep
        self._rng = rng or random.Random()

    def run(
        self,
        attempt: Callable[[float], T],
        *,
        operation: str,
        target: str,
        deadline: Deadline,
        timeout_s: float,
        sent_bytes: int | None = None,
        size_of: Callable[[T], int] | None = None,
        request_id_of: Callable[[T], str | None] | None = None,
        repeatable: bool = True,
    ) -> T:
        """Returns what `attempt` gives, called with the seconds it may take, in the end.

        Raises:
            DefectscopeError: The last attempt's error, or a passed deadline.
        """
        began = time.monotonic()
        number = 0

        def tell(
            kind: EventKind,
            *,
            error: DefectscopeError | None = None,
            wait_s: float | None = None,
            answer: T | None = None,
        ) -> None:
            request_id = error.request_id if error else None
            if answer is not None and request_id_of is not None:
                request_id = request_id_of(answer)
            event = CallEvent(
                kind,
                operation,
                target,
                number,
                time.monotonic() - began,
                sent_bytes,
                size_of(answer) if answer is not None and size_of is not None else None,
                request_id,
                error.code if error else None,
                wait_s,
            )
            for hook in self._hooks:
                hook(event)

        while True:
            number += 1
            try:
                left_s = deadline.left_s(timeout_s)
                tell("attempt")
                answer = attempt(left_s)
            except DefectscopeError as error:
                wait_s = self._policy.wait_s(number - 1, self._rng)
                if not (
                    repeatable
                    and is_transient(error)
                    and number < self._policy.attempts
                    and deadline.allows(wait_s)
                    and self._budget.spend()
                ):
                    tell("failure", error=error)
                    raise
                tell("retry", error=error, wait_s=wait_s)
                self._sleep(wait_s)
                continue
            self._budget.succeeded()
            tell("success", answer=answer)
            return answer
