"""Restarts with back-off: how soon a dead process is replaced, and when it counts as a crash loop.

A crash loop ends the start with an error, as docs/configuration.md promises of a wrong setting.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What decides about a process that has ended by itself."""

    #: After a longer life the end is an accident, and the next delay is none.
    steady_seconds: float = 10.0
    #: After a longer life the process has loaded everything: its settings are not to blame.
    proven_seconds: float = 3.0
    #: So many failures before the process has ever worked are a crash loop.
    crash_loop_failures: int = 4
    first_delay_seconds: float = 0.5
    max_delay_seconds: float = 30.0
    #: The time for jobs in flight that the children of a dead leader have.
    orphan_seconds: float = 3.0


class RestartHistory:
    """The ends of one process, and what follows from them for its next start."""

    def __init__(self, policy: RestartPolicy) -> None:
        """Begin without a delay."""
        self._policy = policy
        self._delay = 0.0
        self._failures = 0
        self._is_proven = False

    @property
    def is_crash_loop(self) -> bool:
        """Whether the process has failed at each of its first starts."""
        return self._failures >= self._policy.crash_loop_failures

    def add_end(self, status: int, lived_seconds: float) -> float:
        """Count an end, and return the seconds to wait before the next start.

        `status` is the exit status, negative for a signal: being killed is no failure of its own.
        """
        if lived_seconds >= self._policy.proven_seconds:
            self._is_proven = True
            self._failures = 0
        elif status > 0 and not self._is_proven:
            self._failures += 1
        delay = 0.0 if lived_seconds >= self._policy.steady_seconds else self._delay
        self._delay = min(
            max(2 * delay, self._policy.first_delay_seconds), self._policy.max_delay_seconds
        )
        return delay
