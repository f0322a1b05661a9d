"""Totals of the service: what all processes have published, read and checked for a scrape.

Another program on Redis may have written what stands there: a number counts where its metric and
labels are ours.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from actors.telemetry.metrics import METRICS
from actors.telemetry.series import Histogram, Series
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from worker.telemetry.process_figures import ProcessFigures
from worker.telemetry.publishing import MAX_SERIES, PROCESSES_KEY, PUBLISH_SECONDS, TOTALS_KEY

#: A process that has published nothing for so long has ended, or cannot reach Redis.
_LIVE_SECONDS: Final = 3 * PUBLISH_SECONDS + 1
_LABEL: Final = re.compile(r"[!-~]{0,64}")
_FIGURES: Final = ("memory_bytes", "open_files", "open_files_limit")
_READ: Final = Script(f"""
local function read(key, most)
    if redis.call('TYPE', key).ok ~= 'hash' or redis.call('HLEN', key) > most then return {{}} end
    return redis.call('HGETALL', key)
end
return {{redis.call('TIME')[1], read(KEYS[1], {MAX_SERIES}), read(KEYS[2], 10000)}}
""")


@dataclass(frozen=True, slots=True)
class Totals:
    """The numbers of the service, and the figures of the processes that run."""

    amounts: Mapping[Series, float]
    processes: Sequence[ProcessFigures]


def read_totals(client: redis.Redis) -> Totals:
    """Return what all processes have published.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        now, amounts, processes = cast(
            "tuple[bytes, list[bytes], list[bytes]]",
            call_script(client, Call(_READ, [TOTALS_KEY, PROCESSES_KEY], [])),
        )
    return Totals(
        dict(_read_amounts(_pair(amounts))),
        list(_read_processes(dict(_pair(processes)).values(), int(now))),
    )


def _pair(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _read_amounts(pairs: Iterator[tuple[bytes, bytes]]) -> Iterator[tuple[Series, float]]:
    for name, text in pairs:
        series = _parse_series(name)
        amount = _parse_amount(text)
        if series is not None and amount is not None:
            yield series, amount


def _parse_series(text: bytes) -> Series | None:
    match _parse_json(text):
        case [str(metric), [*labels], str(part)] if metric in METRICS:
            known = METRICS[metric]
        case _:
            return None
    is_histogram = isinstance(known, Histogram)
    fits = len(labels) == len(known.labels) and is_histogram == bool(part)
    if not fits or not all(isinstance(it, str) and _LABEL.fullmatch(it) for it in labels):
        return None
    return Series(metric, tuple(labels), part)


def _parse_amount(text: bytes) -> float | None:
    try:
        amount = float(text)
    except ValueError:
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None


def _read_processes(entries: Any, now: int) -> Iterator[ProcessFigures]:
    for entry in entries:
        published_at, _, rest = entry.partition(b" ")
        is_live = published_at.isdigit() and int(published_at) > now - _LIVE_SECONDS
        listed = _parse_json(rest.partition(b" ")[2]) if is_live else ()
        for figures in listed if isinstance(listed, list) else ():
            if _are_figures(figures):
                yield figures


def _are_figures(figures: Any) -> bool:
    if not isinstance(figures, dict):
        return False
    role = figures.get("role")
    has_role = isinstance(role, str) and _LABEL.fullmatch(role) is not None
    return has_role and all(
        isinstance(figures.get(name), int) and figures[name] >= 0 for name in _FIGURES
    )


def _parse_json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
