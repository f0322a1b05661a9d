"""Polls of device authorizations: their intervals, their ends, and what becomes of the tokens."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from actors.connections.errors import (
    AccessDenied,
    AuthorizationPending,
    ConnectionUnknown,
    ExpiredToken,
    ReauthorizationRequired,
)
from actors.connections.reading import describe_connection, find_connection
from actors.connections.revocation import revoke_connection
from actors.connections.token_reading import read_token
from actors.devices.authorization import authorize_device
from actors.devices.polling import poll_leased
from actors.devices.sweep import claim_due_polls, poll_due_devices
from actors.errors import AuthError
from actors.renewal.renew import renew_connection
from actors.upkeep.cleanup import clean_verification
from catfeeder.queue.requester import act_for, sees_all_apps
from catfeeder.results import DeviceAuthorization
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS, has_due_polls
from tests.actors.sign_ins import (
    NAME,
    configure,
    configure_preset,
    now,
    sign_in,
    stored_connections,
)
from tests.provider.answers import Answer, json_answer
from tests.provider.devices import DEVICE_CODE
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
SECOND: Final = timedelta(seconds=1)


@dataclass
class Clock:
    """The time by which the service polls and the provider measures intervals."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def timestamp(self) -> float:
        """Return the seconds since 1970."""
        return self.now.timestamp()


@pytest.fixture
def clock(provider: ScriptedProvider) -> Clock:
    """A clock that the test sets, which is the provider's too."""
    clock = Clock(now())
    provider.devices.clock = clock.timestamp
    return clock


@pytest.fixture
def devices(provider: ScriptedProvider, tables: object) -> ScriptedProvider:  # noqa: ARG001
    """The provider, which connects devices as well as browsers."""
    endpoint = {"device_authorization_endpoint": f"{provider.issuer}/device"}
    provider.script.metadata = endpoint
    configure(provider, grant_types=["authorization_code", DEVICE_CODE])
    return provider


def begin(clock: Clock, **options: Any) -> DeviceAuthorization:
    """Ask for a code, and set the clock to when it came."""
    device = authorize_device(NAME, **options)
    clock.now = max(clock.now, now())
    return device


def poll_due(clock: Clock) -> int:
    """Poll for all that is due, as a sweep and the workers after it do; return how many."""
    leases = claim_due_polls(clock.now)
    for lease in leases:
        poll_leased(lease, clock)
    return len(leases)


def poll_for(clock: Clock, seconds: int) -> list[int]:
    """Let so many seconds pass, and return the seconds after which there was a poll."""
    polled = []
    for second in range(1, seconds + 1):
        clock.now += SECOND
        if poll_due(clock):
            polled.append(second)
    return polled


def read_error(connection_id: str, clock: Clock) -> AuthError:
    """Return the error that readers of the token get."""
    with pytest.raises(AuthError) as caught:
        read_token(connection_id, clock.now)
    return caught.value


def events() -> list[tuple[str, Any]]:
    """Return the events of devices, the oldest first, each with its kind and its details."""
    with hold_connection():
        rows = list(TAB_EVENTS.select().order_by(TAB_EVENTS.id))
    return [(row.kind, row.detail) for row in rows if row.connection_id is not None]


def test_a_device_is_connected_when_its_user_agrees(
    devices: ScriptedProvider, clock: Clock
) -> None:
    # Given a device that shows its user a code
    device = begin(clock, subject="user-1")
    connection_id = device["connection_id"]
    assert devices.requests_for("/device")[0].form == {"scope": "openid profile email"}
    assert device["user_code"] == devices.devices.latest.user_code
    waiting = describe_connection(find_connection(connection_id))
    assert (waiting["status"], waiting["subject"]) == ("pending", "user-1")
    # Then it is polled for after each interval
    assert poll_for(clock, 12) == [5, 10]
    # When the user agrees
    devices.devices.decide(device["user_code"], "approved")
    assert poll_for(clock, 20) == [3]
    # Then the connection is that of a sign-in
    connected = describe_connection(find_connection(connection_id))
    assert (connected["id"], connected["status"]) == (connection_id, "active")
    assert connected["profile"]["subject"] == devices.script.user["id"]
    assert connected["scope"] == "openid profile email"
    row = find_connection(connection_id)
    assert row.refresh_token is not None
    assert clock.now < row.renew_at < row.expires_at
    by_device = {"by": "device_code", "unbound": True}
    exchanged = {**by_device, "pending_connection_id": connection_id}
    assert events()[:2] == [("authorized", by_device), ("exchanged", exchanged)]
    # And nothing is left of the code
    assert devices.devices.latest.too_early == 0
    with hold_connection():
        ended = TAB_DEVICE_AUTHORIZATIONS.get_by_id(connection_id)
        assert (ended.device_code, ended.next_poll_at) == (None, None)
        assert not has_due_polls(clock.now + timedelta(days=1))


@pytest.mark.parametrize("preset", ["google", "github", "microsoft", "gitlab"])
def test_a_device_is_connected_with_each_preset_that_has_the_grant(
    provider: ScriptedProvider, clock: Clock, preset: str
) -> None:
    # Given a provider that is asked as the preset's is, and that answers as it does
    configure_preset(provider, preset)
    device = begin(clock)
    assert poll_for(clock, 6) == [5]
    # When the user agrees, then the device is connected
    provider.devices.decide(device["user_code"], "approved")
    assert poll_for(clock, 6) == [4]
    connection = describe_connection(find_connection(device["connection_id"]))
    assert (connection["status"], connection["profile"]["provider"]) == ("active", NAME)


def test_readers_of_a_pending_token_are_told_when_to_come_back(
    devices: ScriptedProvider, clock: Clock
) -> None:
    device = begin(clock)
    assert devices.requests_for("/device") != []
    clock.now += 2 * SECOND

    error = read_error(device["connection_id"], clock)

    assert isinstance(error, AuthorizationPending)
    assert error.headers == {"Retry-After": "3"}
    with pytest.raises(AuthorizationPending):
        renew_connection(device["connection_id"])


def test_an_account_that_was_connected_before_keeps_its_connection(
    devices: ScriptedProvider, clock: Clock
) -> None:
    # Given an account that has signed in
    before = sign_in(devices, subject="user-1").connection
    # When a device of the same user is connected
    device = begin(clock, subject="user-1")
    devices.devices.decide(device["user_code"], "approved")
    assert poll_for(clock, 5) == [5]
    # Then there is one connection, and the device's id leads to it
    assert [row.id for row in stored_connections()] == [before.id]
    assert find_connection(device["connection_id"]).id == before.id
    sees_all_apps.set(False)
    with act_for("other-app"), pytest.raises(ConnectionUnknown):
        find_connection(device["connection_id"])
    sees_all_apps.set(True)
    # And a disconnect by that id is one of the account's
    assert revoke_connection(device["connection_id"])["id"] == before.id
    assert stored_connections() == []


def test_a_provider_that_wants_fewer_polls_gets_fewer(
    devices: ScriptedProvider, clock: Clock
) -> None:
    # Given a provider that says slow_down twice (RFC 8628 section 3.5: 5 seconds more, for good)
    begin(clock)
    devices.devices.slow_downs = 2
    assert poll_for(clock, 60) == [5, 15, 30, 45, 60]
    # And one that states the new interval itself, as GitHub does
    devices.answer("/token", json_answer({"error": "slow_down", "interval": 40}), times=1)
    assert poll_for(clock, 80) == [15, 55]
    assert devices.devices.latest.too_early == 0


@pytest.mark.parametrize("interval", [400, "10", 0, None], ids=str)
def test_an_interval_is_kept_as_the_provider_states_it(
    devices: ScriptedProvider, clock: Clock, interval: Any
) -> None:
    # Where none is stated it is five seconds (RFC 8628 section 3.2)
    wanted = int(interval or 5)
    devices.devices.interval = wanted
    issue = devices.devices.issue
    stated = {"interval": interval}
    devices.devices.issue = lambda *asked: {**issue(*asked), **stated}  # type: ignore[method-assign]
    begin(clock)
    clock.now += (wanted - 1) * SECOND

    assert poll_for(clock, 2) == [1]
    assert devices.devices.latest.too_early == 0


@pytest.mark.parametrize(
    ("answers", "polls"),
    [
        pytest.param([Answer(503)], [5, 15, 25, 35], id="unavailable"),
        pytest.param([json_answer({}, 429, Retry_After="30")], [5, 35], id="asked-to-wait"),
        pytest.param([Answer(200, b"<html>")], [5, 15, 25, 35], id="no-answer-of-a-provider"),
        pytest.param([Answer(503), Answer(503)], [5, 15, 35], id="twice"),
    ],
)
def test_a_provider_that_is_away_is_polled_half_as_often(
    devices: ScriptedProvider, clock: Clock, answers: list[Answer], polls: list[int]
) -> None:
    begin(clock)
    devices.answer("/token", *answers, json_answer({"error": "authorization_pending"}, 400))

    assert poll_for(clock, 40) == polls


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(json_answer({"error": "access_denied"}, 400), AccessDenied, id="denied"),
        pytest.param(
            json_answer({"error": "authorization_declined"}, 400), AccessDenied, id="microsoft"
        ),
        pytest.param(json_answer({"error": "expired_token"}), ExpiredToken, id="github"),
        pytest.param(
            json_answer({"status": 400, "message": "access_denied"}, 400), AccessDenied, id="twitch"
        ),
        pytest.param(
            json_answer({"error": "invalid_grant"}, 400), ReauthorizationRequired, id="spent"
        ),
    ],
)
def test_a_device_that_is_refused_is_polled_for_no_more(
    devices: ScriptedProvider, clock: Clock, answer: Answer, error: type[AuthError]
) -> None:
    # Given a device whose user refuses, or whose code the provider does not know any more
    device = begin(clock)
    devices.answer("/token", answer)
    # When it is polled for
    assert poll_for(clock, 60) == [5]
    # Then its readers get the error, and apps an event
    assert type(read_error(device["connection_id"], clock)) is error
    ended = describe_connection(find_connection(device["connection_id"]))
    assert ended["status"] == "reauthorization_required"
    assert ended["reason"]
    kind, detail = events()[-1]
    wanted = {AccessDenied: "access_denied", ExpiredToken: "expired_token"}
    assert kind == "device_refused"
    assert detail["reason"] == wanted.get(error, "provider_refused")
    with pytest.raises(error):
        renew_connection(device["connection_id"])


def test_a_program_without_a_queue_polls_by_itself(devices: ScriptedProvider, clock: Clock) -> None:
    # Given a device whose interval is over, and no worker
    device = begin(clock)
    devices.devices.decide(device["user_code"], "approved")
    devices.devices.latest.interval = 0
    with hold_connection():
        TAB_DEVICE_AUTHORIZATIONS.update(next_poll_at=now()).execute()
    # When the schedule performs the sweep in this process
    poll_due_devices()
    # Then the device is connected
    assert find_connection(device["connection_id"]).status == "active"


def test_a_code_that_runs_out_is_not_polled_for(devices: ScriptedProvider, clock: Clock) -> None:
    # Given a service that was down until a code had run out
    devices.devices.lifetime = 60
    device = begin(clock)
    clock.now += 70 * SECOND
    # When it is back, then the provider is not asked, and the user has to begin again
    assert poll_due(clock) == 1
    assert devices.requests_for("/token") == []
    assert isinstance(read_error(device["connection_id"], clock), ExpiredToken)


def test_the_end_of_a_code_is_met_on_time(devices: ScriptedProvider, clock: Clock) -> None:
    devices.devices.lifetime = 32
    begin(clock)

    polled = poll_for(clock, 60)

    # The last look is at the end, for which no request is needed.
    assert len(devices.requests_for("/token")) == 6
    assert polled[:6] == [5, 10, 15, 20, 25, 30]
    assert events()[-1][0] == "device_refused"


def test_no_two_workers_poll_at_once_nor_one_twice(devices: ScriptedProvider, clock: Clock) -> None:
    # Given a poll that is in flight
    begin(clock)
    clock.now += 5 * SECOND
    (lease,) = claim_due_polls(clock.now)
    gate = devices.hold("/token", times=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(poll_leased, lease, clock)
        gate.await_arrival()
        # When its message is delivered twice, and other sweeps look
        poll_leased(lease, clock)
        assert claim_due_polls(clock.now + 30 * SECOND) == []
        gate.open()
        running.result(30)
    # Then there was one request
    assert len(devices.requests_for("/token")) == 1


def test_a_worker_that_is_killed_makes_no_poll_early(
    devices: ScriptedProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that dies with the provider's answer in hand
    device = begin(clock)
    clock.now += 5 * SECOND
    (lease,) = claim_due_polls(clock.now)
    with monkeypatch.context() as patched:
        patched.setattr(TAB_DEVICE_AUTHORIZATIONS, "plan_poll", _die)
        with pytest.raises(SystemExit):
            poll_leased(lease, clock)
    # When others go on, then the next poll is late, and in time for the user
    polled = poll_for(clock, 60)
    assert 5 <= polled[0] <= 45
    assert devices.devices.latest.too_early == 0
    devices.devices.decide(device["user_code"], "approved")
    poll_for(clock, 10)
    assert find_connection(device["connection_id"]).status == "active"


def _die(*_arguments: object) -> None:
    raise SystemExit


def test_a_message_that_is_lost_is_made_up_for(devices: ScriptedProvider, clock: Clock) -> None:
    begin(clock)
    clock.now += 5 * SECOND
    assert len(claim_due_polls(clock.now)) == 1

    assert poll_for(clock, 100)[0] <= 91
    assert len(devices.requests_for("/token")) >= 1


def _disconnect(device: DeviceAuthorization) -> None:
    assert revoke_connection(device["connection_id"])["revoked_tokens"] == []


def test_a_device_that_is_disconnected_is_polled_for_no_more(
    devices: ScriptedProvider, clock: Clock
) -> None:
    device = begin(clock)
    _disconnect(device)

    assert poll_for(clock, 30) == []
    assert devices.requests_for("/token") == []
    with pytest.raises(ConnectionUnknown):
        find_connection(device["connection_id"])


@pytest.mark.parametrize("path", ["/token", "/userinfo"])
def test_tokens_that_come_after_a_disconnect_are_revoked(
    devices: ScriptedProvider, clock: Clock, path: str
) -> None:
    # Given a user who agrees, and tokens that are on their way
    device = begin(clock)
    devices.devices.decide(device["user_code"], "approved")
    clock.now += 5 * SECOND
    (lease,) = claim_due_polls(clock.now)
    gate = devices.hold(path, times=1)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(poll_leased, lease, clock)
        gate.await_arrival()
        # When the device is disconnected meanwhile
        _disconnect(device)
        gate.open()
        running.result(30)
    # Then nothing is stored, and the provider has revoked the tokens
    assert stored_connections() == []
    assert len(devices.requests_for("/revoke")) == 2


def test_what_a_writer_of_the_database_changes_is_not_polled_for(
    devices: ScriptedProvider, clock: Clock
) -> None:
    # Given a code that another program gives to another app
    begin(clock)
    table: Any = TAB_DEVICE_AUTHORIZATIONS
    with hold_connection():
        table.update_sealed({"app": "other-app"}).execute()
    # Then it counts as absent
    poll_for(clock, 10)
    assert devices.requests_for("/token") == []


def test_what_is_over_is_erased_a_day_later(
    devices: ScriptedProvider, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a device that was refused, and one that was connected
    refused, connected = begin(clock), begin(clock)
    devices.devices.decide(refused["user_code"], "denied")
    devices.devices.decide(connected["user_code"], "approved")
    poll_for(clock, 6)
    # When a day has passed
    clock.now += timedelta(days=1, minutes=11)
    monkeypatch.setattr("actors.upkeep.cleanup.utc_now", clock)
    clean_verification()
    # Then the connection alone is left
    with hold_connection():
        assert TAB_DEVICE_AUTHORIZATIONS.select().count() == 0
        assert [row.id for row in TAB_CONNECTIONS.select()] == [connected["connection_id"]]


@pytest.fixture(autouse=True)
def _as_operator() -> Iterator[None]:
    token = sees_all_apps.set(True)
    yield
    sees_all_apps.reset(token)
