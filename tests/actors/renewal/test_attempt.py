"""Tests of one attempt: a renewal that is too late to send its token does not send it."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from actors.providers.config.cache import ProviderCache
from actors.providers.http.transport import shared_adapter
from actors.renewal.attempt import Renewal, RenewalDelayed, begin
from actors.renewal.kept_answers import recover
from actors.renewal.leased import renew_leased
from actors.renewal.request import prepare_renewal
from config import current_settings
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import HOUR, LEASE, connect, held_renewal, lease_one, refreshes
from tests.actors.sign_ins import now, reread
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def begun(row: TAB_CONNECTIONS, at: datetime) -> Renewal:
    """Return a renewal that a process began at a time, and was then frozen until now."""
    lasting = timedelta(seconds=current_settings().oauth.lease_seconds)
    lease = lease_one(row, at, lasting)
    renewal = begin(prepare_renewal(row, at, ProviderCache()), lease, at)
    assert renewal is not None
    return renewal


def test_a_renewal_that_took_too_long_to_begin_sends_nothing(plain: ScriptedProvider) -> None:
    # Given a renewal that was written down, by a process that was then frozen for most of its lease
    (row,) = connect(plain)
    at = now() - LEASE * 0.9
    renewal = begun(row, at)
    # When it goes on
    with pytest.raises(RenewalDelayed):
        renewal.obtain_grant(at)
    # Then the provider was not asked, since another renewal may begin before it answers
    assert refreshes(plain) == []


def test_a_renewal_that_waits_for_its_connection_for_too_long_sends_nothing(
    plain: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a renewal with hardly more time than its call may take, and a name server that is slow
    (row,) = connect(plain)
    half = timedelta(seconds=current_settings().oauth.lease_seconds) / 2
    at = now() - half + timedelta(seconds=0.4)
    renewal = begun(row, at)
    shared_adapter().close()
    resolve = socket.getaddrinfo

    def resolve_slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.5)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_slowly)
    # When it has its connection at last
    with pytest.raises(RenewalDelayed):
        renewal.obtain_grant(at)
    # Then it does not send its token
    assert refreshes(plain) == []


def test_a_lease_is_counted_from_when_the_token_is_sent(plain: ScriptedProvider) -> None:
    # Given a renewal that waited for the database for longer than its lease
    (row,) = connect(plain)
    at = now() - HOUR
    with held_renewal(plain, renew_leased, lease_one(row, at), at) as held:
        # When another process looks for interrupted renewals while it asks the provider
        found = recover(now(), now() + LEASE, lambda _: None)
        held.finish()
    # Then this is none of them, and its token is shown once
    assert found == 0
    assert len(refreshes(plain)) == 1
    assert reread(row).status == ConnectionStatus.ACTIVE
