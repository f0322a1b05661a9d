"""Tests of late answers: an answer that comes too late for its caller is an answer all the same."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from actors.connections.errors import ConnectionBusy
from actors.providers.config.settings import patch_provider
from actors.providers.errors import ProviderUnreachable
from actors.renewal import in_process
from actors.renewal.renew import renew_connection
from config import Settings
from models.db.database import hold_connection
from models.oauth.connections import ConnectionStatus
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from tests.actors.renewals import change, connect, refresh_token_of, refreshes, renew_all
from tests.actors.sign_ins import NAME, event_kinds, now, reread
from tests.provider.answers import Answer, json_answer, not_http
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("database")
USERS = 6


@pytest.fixture
def toml_conf(toml_conf: dict[str, Any]) -> dict[str, Any]:
    """A provider has one second to answer, and a minute in the background."""
    times = {"connect_timeout_seconds": 1, "read_timeout_seconds": 1, "lease_seconds": 8}
    toml_conf["OAuth"] |= {**times, "late_answer_seconds": 60}
    return toml_conf


def find_health() -> TAB_PROVIDER_HEALTH:
    with hold_connection():
        return TAB_PROVIDER_HEALTH.find(NAME)


def test_a_frozen_provider_that_takes_tokens_and_answers_late_costs_no_connection(
    single_use: ScriptedProvider,
) -> None:
    # Given a provider that freezes
    rows = connect(single_use, USERS)
    gate = single_use.hold("/token")

    # When as many renewals as there are users are sent, and no answer comes in time
    with ThreadPoolExecutor(USERS) as pool:
        running = [pool.submit(renew_connection, row.id) for row in rows]
        errors = [one.exception() for one in running]
    assert {type(error) for error in errors} == {ProviderUnreachable}

    # Then none has failed, and none is sent again, also when the first lease would have run out
    first = {row.id: reread(row).lease_until for row in rows}
    wait_until(lambda: all(reread(row).lease_until > first[row.id] for row in rows))
    for row in rows:
        change(row, renew_at=now())
    assert renew_all(now()) == []
    with pytest.raises(ConnectionBusy):
        renew_connection(rows[0].id, await_others=False)
    assert {reread(row).status for row in rows} == {ConnectionStatus.ACTIVE}

    # And when it thaws, all have their new tokens
    paused_until = find_health().paused_until
    assert paused_until > now()
    gate.open()
    wait_until(lambda: all(reread(row).version == 2 for row in rows))
    # And the provider, which was paused meanwhile, is probed at once
    wait_until(lambda: find_health().paused_until < paused_until)
    renew_connection(rows[0].id)
    assert find_health().state == HealthState.CLOSED
    issued = {grant.refresh_tokens[-1] for grant in single_use.grants._grants}
    assert {refresh_token_of(row) for row in rows} == issued
    assert len(refreshes(single_use)) == USERS + 1
    assert not {"renewal_failed", "reauthorization_required"} & set(event_kinds())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (json_answer({"error": "invalid_grant"}, 400), "reauthorization_required"),
        (json_answer({}, 503), "renewal_failing"),
        (json_answer({"message": "The grant is gone."}, 503), "reauthorization_required"),
        (not_http(), "renewal_failing"),
    ],
    ids=["refused", "unavailable", "dead in the operator's words", "broken"],
)
def test_a_late_failure_is_a_failure(
    answer: Any, status: str, single_use: ScriptedProvider
) -> None:
    patch_provider(NAME, {"failure_kinds": {"grant is gone": "grant_dead"}}, now())
    (row,) = connect(single_use)
    gate = single_use.hold("/token")
    single_use.answer("/token", answer)
    with pytest.raises(ProviderUnreachable):
        renew_connection(row.id)

    gate.open()

    wait_until(lambda: reread(row).status == status)
    assert reread(row).lease_until is None


def test_an_answer_that_never_comes_is_given_up(
    single_use: ScriptedProvider, settings: Settings
) -> None:
    object.__setattr__(settings.oauth, "late_answer_seconds", 1)
    (row,) = connect(single_use)
    gate = single_use.hold("/token")
    with pytest.raises(ProviderUnreachable):
        renew_connection(row.id)

    wait_until(lambda: reread(row).status == ConnectionStatus.RENEWAL_FAILING)

    gate.open()
    assert (reread(row).failures, reread(row).lease_until) == (1, None)


@pytest.mark.parametrize(
    ("grace", "status", "sent"), [(None, "renewal_failing", 1), (30, "active", 2)]
)
def test_a_renewal_that_breaks_off_is_repeated_within_the_grace_of_its_provider(
    grace: int | None, status: str, sent: int, plain: ScriptedProvider
) -> None:
    # Given a provider that accepts a refresh token for a while after its use, or never
    patch_provider(NAME, {"refresh_token_grace_seconds": grace}, now())
    plain.script.rotation = "rotating"
    (row,) = connect(plain)

    # When the connection breaks off once the provider has renewed
    def renew_and_hang_up(request: Request) -> Answer:
        plain._grant_tokens(request)
        return Answer(pieces=iter([]))

    plain.answer("/token", renew_and_hang_up, times=1)
    with contextlib.suppress(ProviderUnreachable):
        renew_connection(row.id)

    # Then the token is shown again at once if it still serves, and the journal says so
    assert (reread(row).status, len(refreshes(plain))) == (status, sent)
    assert event_kinds().count("renewal_retried") == sent - 1


def test_a_plain_program_ends_after_its_late_answers(
    single_use: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a program without a service that renews, and a provider that freezes
    at_exit: list[Callable[[], object]] = []
    exits = SimpleNamespace(register=at_exit.append)
    monkeypatch.setattr(in_process, "atexit", exits)
    in_process._finish_at_exit.cache_clear()
    [row] = connect(single_use, 1)
    change(row, renew_at=now())
    gate = single_use.hold("/token")
    in_process.renew_due_connections()
    before = refresh_token_of(row)

    # When the program ends, and the provider answers after that
    answering = threading.Timer(0.5, gate.open)
    answering.start()
    [finish] = at_exit
    finish()
    answering.join()

    # Then the token that replaces the spent one is stored
    assert reread(row).version == 2
    assert refresh_token_of(row) != before
