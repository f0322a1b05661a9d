"""Calibration: measures what hashes of each scheme and its parameters take on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from actors.passwords.derivation import make_hash
from actors.passwords.pepper import find_current_pepper
from actors.passwords.rules import MINIMUM_ROUNDS
from actors.passwords.schemes import MAXIMUM_ROUNDS, Argon2Scheme, BcryptScheme, Scheme
from config import ARGON2_SETS, PasswordsSettings

_PASSWORD: Final = b"correct horse battery staple"
_MEASUREMENTS: Final = 3
_KIB_PER_MIB: Final = 1024


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one hash takes: time on the clock, core time, and memory."""

    scheme: str
    parameters: str
    milliseconds: float
    core_milliseconds: float
    memory_mib: int

    @property
    def hashes_per_second(self) -> float:
        """How many hashes one core makes in a second."""
        return 1000 / self.core_milliseconds


def measure_schemes(settings: PasswordsSettings, target_ms: float) -> list[Measurement]:
    """Return measurements, the quickest of each scheme first.

    bcrypt ends at the first number of rounds that takes longer than the target: the next would take
    twice as long. Sets of Argon2id's parameters that need more memory than `memory_mib` are left
    out.
    """
    measured = []
    for rounds in range(MINIMUM_ROUNDS, MAXIMUM_ROUNDS + 1):
        measured.append(_measure("bcrypt", f"rounds = {rounds}", BcryptScheme(rounds), 0))
        if measured[-1].milliseconds > target_ms:
            break
    sets = []
    for name, (memory_kib, passes, lanes) in ARGON2_SETS.items():
        memory_mib = -(-memory_kib // _KIB_PER_MIB)
        if memory_mib <= settings.memory_mib:
            scheme = Argon2Scheme(memory_kib, passes, lanes)
            sets.append(_measure("argon2id", f'argon2 = "{name}"', scheme, memory_mib))
    return measured + sorted(sets, key=lambda found: found.milliseconds)


def choose_best(measured: list[Measurement], target_ms: float) -> list[Measurement]:
    """Return for each scheme the slowest parameters that stay within the target."""
    fitting = [found for found in measured if found.milliseconds <= target_ms]
    return list({found.scheme: found for found in fitting}.values())


def _measure(name: str, parameters: str, scheme: Scheme, memory_mib: int) -> Measurement:
    durations = []
    for _ in range(_MEASUREMENTS):
        began, core_began = time.perf_counter(), time.process_time()
        make_hash(_PASSWORD, scheme, find_current_pepper())
        seconds = time.perf_counter() - began
        durations.append((seconds * 1000, (time.process_time() - core_began) * 1000))
    wall, core = min(durations)
    return Measurement(name, parameters, wall, max(core, 1e-3), memory_mib)
