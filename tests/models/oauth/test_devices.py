"""Tests of device authorizations: of any number of sweeps and workers each poll has one."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest

from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, NewDevice, PollLease, has_due_polls
from models.oauth.upserts import Owner
from tests.models.races import race_threads
from tests.models.times import NOW

pytestmark = pytest.mark.usefixtures("database")
_LATER: Final = NOW + timedelta(seconds=5)
_LEASE: Final = _LATER + timedelta(seconds=90)


def _begin(count: int) -> list[str]:
    """Record as many device authorizations, and return their ids."""
    names = [f"device-{number}" for number in range(count)]
    for name in names:
        TAB_DEVICE_AUTHORIZATIONS.begin(
            NewDevice(
                name,
                Owner("default", "house", ""),
                "openid",
                None,
                Secret(f"code of {name}"),
                5,
                NOW + timedelta(minutes=10),
            ),
            {"subject": None},
            NOW,
        )
    return names


def _claim(_number: int) -> list[PollLease]:
    return TAB_DEVICE_AUTHORIZATIONS.claim_due(_LATER, _LEASE, 10)


def _extend(_number: int, lease: PollLease) -> PollLease | None:
    return TAB_DEVICE_AUTHORIZATIONS.extend(lease, _LEASE)


def test_each_poll_has_one_lease_and_one_worker_however_many_ask() -> None:
    # Given devices whose interval is over
    with hold_connection():
        names = _begin(4)
        assert not has_due_polls(NOW + timedelta(seconds=4.9))
        assert has_due_polls(_LATER)
    # When sweeps of many processes lease them at once
    leases = [lease for claimed in race_threads(6, _claim) for lease in claimed]
    # Then each is leased once
    assert sorted(lease.id for lease in leases) == names
    # And of the workers that get one message, one may poll
    longer = [it for it in race_threads(6, _extend, leases[0]) if it is not None]
    assert len(longer) == 1
    with hold_connection():
        # The lease that has run out gives way, and is worth nothing any more
        again = TAB_DEVICE_AUTHORIZATIONS.claim_due(_LEASE, _LEASE + timedelta(seconds=90), 10)
        assert len(again) == 4
        assert not TAB_DEVICE_AUTHORIZATIONS.plan_poll(longer[0], 5, _LEASE)
