"""Fixtures of the tables' tests: an empty database, and a connection that is held."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import Settings
from models.db.database import hold_connection
from tests.models.reopening import reopened


@pytest.fixture
def empty_url(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The DATABASE_URL of another database, in which there is nothing yet."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    else:
        with request.getfixturevalue(f"_{database_kind}_server").database() as url:
            yield url


@pytest.fixture
def empty(database: Settings, empty_url: str) -> Iterator[Settings]:
    """The settings of a database without tables, which is open."""
    settings = dataclasses.replace(database, database_url=empty_url)
    with reopened(settings):
        yield settings


@pytest.fixture
def held(database: Settings) -> Iterator[Settings]:
    """The settings of a database of each kind, to which the test's thread holds a connection."""
    with hold_connection():
        yield database
