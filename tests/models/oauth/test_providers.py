"""Tests of the configured providers: put whole, listed by name, their secret sealed."""

from __future__ import annotations

import pytest

from catfeeder.sealing import Secret
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from tests.models.races import race_threads
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("held")


def put(name: str = "acme", **changes: object) -> None:
    values = {
        "preset": None,
        "client_id": "client-1",
        "client_secret": Secret("client-secret-1"),
        "metadata": {"issuer": "https://login.acme.example"},
        "now": NOW,
    }
    TAB_USER_OAUTH_CONNECTION.put(name, **{**values, **changes})  # type: ignore[arg-type]


def test_processes_that_add_the_same_preset_at_once_do_not_fail() -> None:
    race_threads(4, lambda _: TAB_USER_OAUTH_CONNECTION.add_missing("github", "github", NOW))

    assert len(TAB_USER_OAUTH_CONNECTION.list_all()) == 1
