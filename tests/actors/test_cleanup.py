"""Tests of erasing what is of no more use, and nothing else."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from actors import cleanup
from actors.cleanup import clean_tokens, clean_verification
from actors.sign_in import begin_sign_in
from catfeeder.sealing import Secret
from models.connections import TAB_CONNECTIONS, ConnectionStatus
from models.database import connected
from models.states import TAB_VERIFICATION
from tests.actors.renewals import connect
from tests.actors.sign_ins import NAME, configure_plain, now, stored_connections
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("database")


def test_sign_ins_that_have_expired_are_erased(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a sign-in that began eleven minutes ago, and one that began now
    configure_plain(provider)
    begin_sign_in(NAME, now=now() - timedelta(minutes=11))
    recent = begin_sign_in(NAME, now=now())

    with caplog.at_level(logging.INFO, cleanup.__name__):
        clean_verification()

    with connected():
        assert TAB_VERIFICATION.select().count() == 1
        assert TAB_VERIFICATION.of(Secret(recent.state))
    assert "1 expired" in caplog.text


def test_connections_that_have_long_been_dead_are_erased(provider: ScriptedProvider) -> None:
    # Given connections of each status that nobody has touched for 31 days, and a dead one of today
    configure_plain(provider)
    rows = connect(provider, 5)
    long_ago = now() - timedelta(days=31)
    with connected():
        for row, status in zip(rows, ConnectionStatus, strict=False):
            TAB_CONNECTIONS.update(status=status, updated_at=long_ago).where(
                TAB_CONNECTIONS.id == row.id
            ).execute()
        TAB_CONNECTIONS.update(status=ConnectionStatus.REVOKED, updated_at=now()).where(
            TAB_CONNECTIONS.id == rows[4].id
        ).execute()

    clean_tokens()

    left = [row.id for row in stored_connections()]
    assert sorted(left) == sorted([rows[0].id, rows[1].id, rows[4].id])


def test_there_may_be_nothing_to_erase() -> None:
    clean_verification()
    clean_tokens()
