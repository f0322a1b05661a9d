"""Tests of renewals at once: a refresh token is shown once, and what it brought is not lost."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from actors.errors import (
    ConnectionBusy,
)
from actors.renewal import renew_connection, renew_leased
from catfeeder.errors import CatFeederError
from models.connections import TAB_CONNECTIONS, ConnectionStatus
from models.database import connected
from models.leases import claim
from tests.actors.renewals import HOUR, connect, refreshes, renew_all, tokens_of
from tests.actors.sign_ins import (
    now,
    reread,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.mark.usefixtures("database")
def test_renewals_at_once_show_a_refresh_token_once(plain: ScriptedProvider) -> None:
    # Given a provider that ends the grant when a refresh token comes twice
    plain.script.rotation = "single_use"
    (row,) = connect(plain)
    # That is due at once: a clock of tomorrow would also see today's leases run out.
    with connected():
        TAB_CONNECTIONS.update(renew_at=now()).where(TAB_CONNECTIONS.id == row.id).execute()
    outcomes: list[object] = []

    def sweep_and_renew() -> None:
        outcomes.extend(renew_all(now()))

    def renew_now() -> None:
        try:
            outcomes.append(renew_connection(row.id)["status"])
        except CatFeederError as error:
            outcomes.append(type(error))

    # When sweeps and users ask for its renewal at the same time
    gate = plain.hold("/token")
    threads = [threading.Thread(target=act) for act in (sweep_and_renew, renew_now) * 3]
    for thread in threads:
        thread.start()
    gate.await_arrival()
    for thread in threads:
        thread.join(0.2)
    gate.open()
    for thread in threads:
        thread.join()

    # Then one of them did it, and the others were told so or had nothing to do
    assert len(refreshes(plain)) == 1
    assert plain.grants.refresh_token_reuses == 0
    assert set(outcomes) <= {None, "active", ConnectionBusy}
    assert reread(row).status == ConnectionStatus.ACTIVE
    # And its grant is alive
    assert renew_all(now() + HOUR) == [None]


def test_a_slow_renewal_that_was_overtaken_is_not_lost(plain: ScriptedProvider) -> None:
    # Given a renewal that takes longer than its lease
    plain.script.rotation = "rotating"
    (row,) = connect(plain)
    at = now()
    with connected():
        slow = claim(row.id, at, at + timedelta(seconds=60))
    assert slow is not None
    gate = plain.hold("/token")
    renewing = threading.Thread(target=renew_leased, args=(slow, at))
    renewing.start()
    gate.await_arrival()
    with connected():
        assert claim(row.id, at + timedelta(seconds=61), at + HOUR) is not None

    # When it ends at last
    gate.open()
    renewing.join()

    # Then what it brought is what counts
    assert reread(row).version == 2
    token = tokens_of(row)[0]
    assert token is not None
    assert token.reveal().startswith("access-2-")
