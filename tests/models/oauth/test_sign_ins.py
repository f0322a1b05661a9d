"""Tests of pending sign-ins: each state serves once, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.models.races import race_processes
from tests.models.times import MINUTE, NOW

STATE = Secret("a-random-state:google")
EXPIRES = NOW + 10 * MINUTE


def begin(state: Secret = STATE, **changes: Any) -> None:
    columns = {
        "app": "default",
        "provider": "google",
        "subject": "user-1",
        "scope": "openid",
        "redirect_uri": "https://app.example.com/callback",
        "return_to": None,
        "nonce": Secret("the-nonce"),
        "code_verifier": Secret("the-verifier"),
        "now": NOW,
        "expires_at": EXPIRES,
    }
    TAB_VERIFICATION.begin(state, **{**columns, **changes})


@pytest.fixture(autouse=True)
def _pending(held: Settings) -> None:  # noqa: ARG001
    begin()


def claim_all(states: list[str]) -> list[str]:
    """Claim as many states as can be had, as one process of several does."""
    with hold_connection():
        return [state for state in states if TAB_VERIFICATION.claim(Secret(state), NOW)]


def test_of_two_processes_one_claims_each_state(tables: Settings) -> None:
    # Given many pending sign-ins
    states = [f"state-{number}" for number in range(50)]
    for state in states:
        begin(Secret(state))

    # When two processes are after all of them at once
    first, second = race_processes(2, tables, claim_all, states)

    # Then each was claimed, by one of the two
    assert sorted(first + second) == sorted(states)
