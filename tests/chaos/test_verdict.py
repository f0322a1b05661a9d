"""Verdict on a connection: a lost token, or one that was used twice in silence, is a fault."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chaos.connections import Compared
from tests.chaos.kills import Kill
from tests.chaos.provider import Showing
from tests.chaos.provider_process import Account
from tests.chaos.verdict import faults

RETRIED = ("renewal_retried", None)
GIVEN_UP = ("reauthorization_required", "outcome_unknown")
REFUSED = ("reauthorization_required", "provider_refused")
#: A worker was killed while the first token was exchanged.
KILL = Kill("oauth.1", at=10.1, ports=frozenset({4000}))


def showing(token: str, *, is_granted: bool = True, at: float = 10.0, port: int = 4000) -> Showing:
    return Showing(0, token, port, at, at + 0.2, is_granted=is_granted, is_reuse=not is_granted)


def compared(stored: str = "second", *showings: Showing, **changes: Any) -> Compared:
    account = Account(
        is_alive=changes.pop("is_alive", True),
        access_tokens=["access-1", "access-2"],
        refresh_tokens=["first", "second"],
        showings=list(showings or [showing("first")]),
    )
    facts = {"id": "1", "status": "active", "version": 2, "journal": [], **changes}
    facts.setdefault("access_token", "access-2")
    return Compared(refresh_token=stored, account=account, **facts)


SPENT_TWICE = (showing("first"), showing("first", is_granted=False, at=20.0))
DEAD = {"status": "reauthorization_required", "version": 1, "is_alive": False}


@pytest.mark.parametrize(
    "connection",
    [compared(), compared("first", *SPENT_TWICE, **DEAD, journal=[RETRIED, GIVEN_UP])],
    ids=["renewed once", "cut off, and named"],
)
def test_nothing_is_said_of_a_connection_that_is_well(connection: Compared) -> None:
    assert list(faults(connection, [KILL])) == []


@pytest.mark.parametrize(
    ("connection", "part"),
    [
        (compared("first"), "not the provider's latest"),
        (compared(access_token="access-1"), "not the provider's latest"),
        (compared(is_alive=False), "not the provider's latest"),
        (compared(version=3), "1 renewals were granted, 2 are stored"),
        (compared("second", *SPENT_TWICE), "spent tokens were shown 1 times"),
        (compared(status="renewal_failing"), "never settled"),
        (compared("first", **DEAD, journal=[REFUSED]), "given up, and the journal says"),
        (
            compared("first", showing("first", at=50.0), **DEAD, journal=[GIVEN_UP]),
            "no process was killed",
        ),
        (
            compared("first", showing("first", port=4001), **DEAD, journal=[GIVEN_UP]),
            "no process was killed",
        ),
    ],
    ids=[
        "lost",
        "half stored",
        "revoked",
        "not stored",
        "twice",
        "failing",
        "refused",
        "without a kill",
        "another's kill",
    ],
)
def test_each_fault_is_reported(connection: Compared, part: str) -> None:
    assert part in "; ".join(faults(connection, [KILL]))
