"""The documentation's example of the schedule: it asks for renewal again and again."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

from catfeeder.client import Client
from config import CronsSettings, current_settings
from tests.waiting import wait_until
from worker.crons import Crons


@pytest.fixture
def toml_conf(toml_conf: dict[str, Any]) -> dict[str, Any]:
    """Settings that renew every second, and do nothing else."""
    switches = (name for name, kind in get_type_hints(CronsSettings).items() if kind is bool)
    off = dict.fromkeys(switches, False)
    on = {"renew_oath_tokens": True, "renew_oath_tokens_interval": 1}
    return {**toml_conf, "Crons": {**off, **on}}


@pytest.fixture
def crons() -> Iterator[Crons]:
    started = Crons(debug=True)
    yield started
    started.stop()
    logging.getLogger("worker.crons").setLevel(logging.NOTSET)


@pytest.mark.usefixtures("tables")
def test_example_9_renew_oaths_is_called_periodically(crons: Crons, service: Client) -> None:
    # When the crons are injected
    assert crons.inject_crons() == 0
    # Then the workers are asked to renew what is due, once a second
    wait_until(lambda: service.broker.depth("control") >= 3)
    crons.stop()
    sealed = service.redis.hvals("catfeeder:control.msgs")
    actors = [service.broker.encoder.open(os.fsencode(body))["actor_name"] for body in sealed]
    assert set(actors) == {"renew_oaths"}


@pytest.mark.usefixtures("settings")
def test_without_settings_the_answer_is_the_error(
    crons: Crons, environment: dict[str, str]
) -> None:
    del environment["SECRET_KEY"]
    current_settings.cache_clear()
    assert crons.inject_crons() == 84
