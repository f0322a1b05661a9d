"""A database that takes nothing for a while, in the midst of a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg


@contextmanager
def outage(database_url: str) -> Iterator[None]:
    """Let nobody write to the database for the block; PostgreSQL lets nobody in either."""
    if database_url.startswith("sqlite"):
        with _locked(database_url.partition("sqlite:///")[2]):
            yield
    else:
        with _closed(database_url):
            yield


@contextmanager
def _locked(path: str) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


@contextmanager
def _closed(url: str) -> Iterator[None]:
    name = urlsplit(url).path.removeprefix("/")
    admin_url = url.replace(f"/{name}?", "/postgres?")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false".encode())
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true".encode())
