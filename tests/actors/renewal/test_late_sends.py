"""Renewals that are held up on their way: who comes too late to send a token leaves it alone."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

from actors.providers.config.cache import ProviderCache
from actors.providers.http.transport import shared_adapter
from actors.renewal.attempt import RenewalDelayed, begin
from actors.renewal.recovery import recover
from actors.renewal.renew import renew_leased
from actors.renewal.request import prepare_renewal
from config import current_settings
from models.db.database import hold_connection
from models.oauth.connections import ConnectionStatus
from models.renewal.leases import claim
from tests.actors.renewals import HOUR, connect, refreshes
from tests.actors.sign_ins import now, reread
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
LEASE = timedelta(seconds=60)


def test_a_renewal_that_took_too_long_to_begin_sends_nothing(plain: ScriptedProvider) -> None:
    # Given a renewal that was written down, by a process that was then frozen for most of its lease
    (row,) = connect(plain)
    at = now() - LEASE * 0.9
    with hold_connection():
        lease = claim(row.id, at, at + LEASE)
    assert lease is not None
    renewal = begin(prepare_renewal(row, at, ProviderCache()), lease, at)
    assert renewal is not None
    # When it goes on
    with pytest.raises(RenewalDelayed):
        renewal.grant(at)
    # Then the provider was not asked, since somebody else may by the time that it answers
    assert refreshes(plain) == []


def test_a_renewal_that_waits_for_its_connection_for_too_long_sends_nothing(
    plain: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a renewal with hardly more time than its call may take, and a name server that dawdles
    (row,) = connect(plain)
    half = timedelta(seconds=current_settings().oauth.lease_seconds) / 2
    at = now() - half + timedelta(seconds=0.4)
    with hold_connection():
        lease = claim(row.id, at, at + 2 * half)
    assert lease is not None
    renewal = begin(prepare_renewal(row, at, ProviderCache()), lease, at)
    assert renewal is not None
    shared_adapter().poolmanager.clear()
    resolve = socket.getaddrinfo

    def dawdle(*arguments: Any, **options: Any) -> Any:
        time.sleep(0.5)
        return resolve(*arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", dawdle)
    # When it has its connection at last
    with pytest.raises(RenewalDelayed):
        renewal.grant(at)
    # Then it keeps its token to itself
    assert refreshes(plain) == []


def test_a_lease_is_counted_from_when_the_token_is_sent(plain: ScriptedProvider) -> None:
    # Given a renewal that waited for the database for longer than its lease
    (row,) = connect(plain)
    at = now() - HOUR
    with hold_connection():
        lease = claim(row.id, at, at + LEASE)
    assert lease is not None
    gate = plain.hold("/token", times=1)
    renewing = threading.Thread(target=renew_leased, args=(lease, at))
    renewing.start()
    gate.await_arrival()
    # When others look for what was cut off while it asks the provider
    found = recover(now(), now() + LEASE, lambda _: None)
    gate.open()
    renewing.join()
    # Then this is none of that, and its token is shown once
    assert found == 0
    assert len(refreshes(plain)) == 1
    assert reread(row).status == ConnectionStatus.ACTIVE
