"""Tests of pending sign-ins: each state serves once, and not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
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


@pytest.mark.parametrize("status", [StateStatus.DONE, StateStatus.FAILED])
def test_a_state_that_was_used_cannot_be_claimed_again(status: StateStatus) -> None:
    # Given a sign-in that has ended
    TAB_VERIFICATION.claim(STATE, NOW)
    TAB_VERIFICATION.end(STATE, status)

    # Then its state serves no second time
    assert not TAB_VERIFICATION.claim(STATE, NOW)

    # And what only the exchange needed is gone
    row = TAB_VERIFICATION.find(STATE)
    assert row is not None
    assert (row.status, row.nonce, row.code_verifier) == (status, None, None)


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


def test_a_sign_in_may_be_bound_to_the_browser_that_began() -> None:
    # Given a sign-in of one browser, and one of whichever
    bound = Secret("bound")
    begin(bound, browser=Secret("a-cookie"))
    row, loose = TAB_VERIFICATION.find(bound), TAB_VERIFICATION.find(STATE)
    assert row is not None
    assert loose is not None

    # Then the first is known by what it was given, and that is not kept
    assert row.accepts_browser(Secret("a-cookie"))
    for other in (
        None,
        Secret("another"),
        Secret(""),
        Secret("a-cookie "),
        Secret(str(row.browser_hash)),
    ):
        assert not row.accepts_browser(other)
        assert loose.accepts_browser(other)
    assert "a-cookie" not in str(row.__data__)
