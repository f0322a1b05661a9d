"""Races: threads and processes that start at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, Final, TypeVar

# Before the tables, so that a child has the client: no variable names its database.
import psycopg  # noqa: F401

from config import Settings
from models.db.database import hold_connection, open_database

T = TypeVar("T")
#: A child opens the database for itself, as a worker does. It is forked from a process that has
#: loaded the modules and done nothing else.
_CLEAN: Final = multiprocessing.get_context("forkserver")
_CLEAN.set_forkserver_preload(["pytest", "tests.models.races", "models.migrate"])
_START_SECONDS: Final = 60
_gate: Any = None


def race_threads(count: int, contend: Callable[..., T], *args: Any) -> list[T]:
    """Run `contend(number, *args)` in as many threads at once and return what each returned."""
    gate = threading.Barrier(count)

    def run(number: int) -> T:
        gate.wait(_START_SECONDS)
        with hold_connection():
            return contend(number, *args)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def race_processes(
    count: int, settings: Settings, contend: Callable[..., T], *args: Any
) -> list[T]:
    """Run `contend(*args)`, a function of a module, in as many processes at once."""
    with ProcessPoolExecutor(count, _CLEAN, _prepare, (settings, _CLEAN.Barrier(count))) as pool:
        return [run.result() for run in [pool.submit(_run, contend, args) for _ in range(count)]]


def _prepare(settings: Settings, gate: Any) -> None:
    global _gate  # noqa: PLW0603
    _gate = gate
    open_database(settings)


def _run(contend: Callable[..., T], args: tuple[Any, ...]) -> T:
    _gate.wait(_START_SECONDS)
    return contend(*args)
