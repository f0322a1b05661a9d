"""Kills parts of a service at random, and starts each again a moment later, as supervisors do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from tests.chaos.chances import chances
from tests.chaos.clock import shown
from tests.chaos.kills import Kill
from tests.chaos.stack import ChaosStack

#: How long a supervisor waits before it replaces what has ended by itself.
_TENDING_SECONDS: Final = 0.5
_LOOK_SECONDS: Final = 0.02


class Mortal(Protocol):
    """What can be killed."""

    name: str

    def kill(self) -> Kill:
        """End it at once."""

    def start(self) -> None:
        """Start it again."""


class Killer:
    """Kills everything equally often, in a random order, often before the last one is back."""

    def __init__(
        self,
        stack: ChaosStack,
        seed: int,
        max_pause_seconds: float,
        max_away_seconds: float,
        print_line: Callable[[str], None],
    ) -> None:
        self.kills: list[Kill] = []
        #: How often a process ended without a kill.
        self.own_ends: Counter[str] = Counter()
        self._stack = stack
        self._victims: list[Mortal] = [*stack.mortal, *stack.servers]
        self._order: list[Mortal] = []
        #: What is killed now, and when it is started again.
        self._away: dict[str, tuple[Mortal, float]] = {}
        self._random = chances(seed, "killer")
        self._max_pause_seconds = max_pause_seconds
        self._max_away_seconds = max_away_seconds
        self._print_line = print_line

    def run(self, seconds: float) -> None:
        """Kill for that long, and return once everything was started again."""
        next_at, deadline = 0.0, time.time() + seconds
        while (now := time.time()) < deadline:
            self.tend(now)
            if now >= next_at:
                self._kill_next(now)
                next_at = now + self._random.uniform(0, self._max_pause_seconds)
            time.sleep(_LOOK_SECONDS)
        self.tend(float("inf"))

    def tend(self, now: float) -> None:
        """Start what was away for long enough, and notice what has ended by itself."""
        for victim, back_at in list(self._away.values()):
            if now >= back_at:
                victim.start()
                del self._away[victim.name]
        for process in self._stack.mortal:
            if process.name not in self._away and process.has_ended:
                self.own_ends[process.name] += 1
                self._away[process.name] = (process, time.time() + _TENDING_SECONDS)

    def _kill_next(self, now: float) -> None:
        self._order = self._order or self._random.sample(self._victims, len(self._victims))
        victim = self._order.pop()
        if victim.name not in self._away:
            kill = victim.kill()
            back_at = now + self._random.uniform(0, self._max_away_seconds)
            self._away[victim.name] = (victim, back_at)
            self.kills.append(kill)
            self._print_line(f"{shown(kill.at)}  {kill.name} is killed until {shown(back_at)}")
