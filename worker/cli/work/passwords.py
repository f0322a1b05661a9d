"""`passwords tune`: measures hashes, and names the settings that stay within a time."""

from __future__ import annotations

import sys
from typing import Final

from actors.passwords.calibration import Measurement, choose_best, measure_schemes
from config import load_settings
from worker.cli.terminal.output import print_json, print_rows

_HEADS: Final = ("SCHEME", "PARAMETERS", "MILLISECONDS", "A SECOND AND CORE", "MIB", "FITS")


def print_calibration(target_ms: float, *, as_json: bool) -> int:
    """Print each measurement and, on stderr, what to set; return 1 where nothing fits.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    measured = measure_schemes(load_settings().passwords, target_ms)
    best = choose_best(measured, target_ms)
    if as_json:
        items = [_describe(found, target_ms) for found in measured]
        print_json({"target_ms": target_ms, "items": items, "best": [*map(_name, best)]})
    else:
        print_rows(_HEADS, [list(_describe(found, target_ms).values()) for found in measured])
    for found in best:
        print(f'[Passwords] scheme = "{found.scheme}", {found.parameters}', file=sys.stderr)
    if not best:
        print(f"Nothing that is safe takes {target_ms:g} ms or less here.", file=sys.stderr)
    return 0 if best else 1


def _describe(found: Measurement, target_ms: float) -> dict[str, object]:
    return {
        "scheme": found.scheme,
        "parameters": found.parameters,
        "milliseconds": round(found.milliseconds, 1),
        "hashes_per_second": round(found.hashes_per_second, 1),
        "memory_mib": found.memory_mib,
        "fits": found.milliseconds <= target_ms,
    }


def _name(found: Measurement) -> dict[str, str]:
    return {"scheme": found.scheme, "parameters": found.parameters}
