"""Tests of interrupted renewals: the answer becomes the token, or the journal has the reason."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.providers.config.settings import patch_provider
from actors.providers.errors import ProviderMisbehaved, ProviderUnreachable
from actors.providers.protocol import token_endpoint
from actors.providers.protocol.tokens.answers import read_tokens
from actors.renewal.kept_answers import import_answer_files
from actors.renewal.limits import RenewalLimits
from actors.renewal.renew import renew_connection, renew_connections
from actors.upkeep.cleanup import clean_tokens
from catfeeder.sealing import Secret
from config import Settings
from models.db.database import hold_connection
from models.db.errors import DatabaseUnreachable
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from models.renewal.answer_files import erase_answer_file
from models.renewal.grouped_writes import write_answer
from models.renewal.journal import TAB_ATTEMPTS, seal_answer
from tests.actors.outages import outage
from tests.actors.renewals import (
    HOUR,
    LEASE,
    begin_and_abandon,
    change,
    connect,
    held_renewal,
    latest_refresh_token,
    lease_connections,
    recover_at,
    refresh_token_of,
    refreshes,
    renew_all,
    tokens_of,
)
from tests.actors.sign_ins import NAME, event_kinds, now, reread, sign_in
from tests.conftest import StartWorker
from tests.provider.answers import Answer, broken_off, html_answer, json_answer
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("tables")
#: Nothing listens to the port of the discard protocol.
DISCARD: Final = "127.0.0.1:9"
SHORT: Final = RenewalLimits(answer_seconds=0.1, outcome_seconds=0.5)


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment, with a private host on top that does not listen."""
    hosts = environment["OAUTH_ALLOWED_PRIVATE_HOSTS"]
    return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": f"{hosts},{DISCARD}"}


def spend(row: TAB_CONNECTIONS, provider: ScriptedProvider) -> None:
    """Let the provider grant new tokens in an answer that is lost."""
    grant = provider.grants.use_refresh_token(refresh_token_of(row), "single_use")
    provider.grants.add_tokens(grant, with_refresh_token=True)


def journal(row: TAB_CONNECTIONS, answer: bytes) -> bool:
    """Write an answer of status 200 and JSON into the journal, as a process does that gets it."""
    head = b'{"status": 200, "content_type": "application/json"}\n'
    return write_answer(row.id, 1, seal_answer(row.id, Secret.of(head + answer)))


def attempt_of(row: TAB_CONNECTIONS) -> TAB_ATTEMPTS | None:
    """Return what the journal says of a connection."""
    with hold_connection():
        return TAB_ATTEMPTS.find(row.id)


def last_event() -> TAB_EVENTS:
    """Return the latest event."""
    with hold_connection():
        event: TAB_EVENTS = TAB_EVENTS.select().order_by(TAB_EVENTS.id.desc()).first()
    return event


def answer_files(settings: Settings) -> list[Path]:
    """Return the files that answers are kept in."""
    return sorted((settings.var_dir / "answers").glob("*"))


# -- Interrupted


def test_a_sign_in_is_not_ended_by_an_answer_for_the_grant_before(plain: ScriptedProvider) -> None:
    # Given a renewal whose answer was unclear, and is kept
    (row,) = connect(plain)
    begin_and_abandon(row)
    assert journal(row, b"unclear")
    # And a sign-in since then whose token neither ends nor can be renewed
    plain.script.expires_in, plain.script.gives_refresh_token = None, False
    sign_in(plain)
    change(row, refresh_token=None, renew_at=None)

    # When what was interrupted is finished
    assert recover_at(now() + HOUR) == 0

    # Then nothing was: the connection lives, and the answer goes with the next clean-up
    assert reread(row).status == ConnectionStatus.ACTIVE
    clean_tokens()
    assert attempt_of(row) is None


@pytest.mark.usefixtures("database")
def test_an_answer_in_the_journal_becomes_the_token_without_asking_again(
    single_use: ScriptedProvider,
) -> None:
    # Given a renewal that was killed when the answer was written down
    (row,) = connect(single_use)
    begin_and_abandon(row)
    tokens = {"access_token": "kept", "refresh_token": "kept-as-well", "expires_in": 3600}
    assert journal(row, json_answer(tokens).body)

    # When it is finished
    assert recover_at(now() + LEASE) == 1

    # Then the answer is the token, and the provider was not asked
    assert tokens_of(row) == (Secret("kept"), Secret("kept-as-well"))
    assert refreshes(single_use) == []
    assert attempt_of(row) is None
    stored = reread(row)
    assert (stored.status, stored.version) == (ConnectionStatus.ACTIVE, 2)
    # And its lifetime counts from when it was asked for
    assert stored.expires_at < now() + HOUR
    assert event_kinds()[-1] == "renewed"


def test_a_token_without_an_answer_is_sent_once_more_and_no_oftener(
    single_use: ScriptedProvider,
) -> None:
    (row,) = connect(single_use)
    lease = begin_and_abandon(row)

    # Before the lease has run out another process may still renew it
    assert recover_at(lease.until - timedelta(milliseconds=1)) == 0
    assert recover_at(lease.until) == 1

    assert len(refreshes(single_use)) == 1
    assert reread(row).status == ConnectionStatus.ACTIVE
    assert event_kinds()[-2:] == ["renewal_retried", "renewed"]
    assert recover_at(now() + 3 * LEASE) == 0


def test_a_token_that_was_spent_meanwhile_ends_its_grant_with_the_reason(
    single_use: ScriptedProvider,
) -> None:
    # Given a renewal that was interrupted behind the provider's answer
    (row,) = connect(single_use)
    begin_and_abandon(row)
    spend(row, single_use)

    recover_at(now() + LEASE)

    # Then the user is needed, and the journal names the connection and why
    stored = reread(row)
    assert stored.status == ConnectionStatus.REAUTHORIZATION_REQUIRED
    assert "cut off before its answer was stored" in str(stored.reason)
    event = last_event()
    assert (event.kind, event.connection_id) == ("reauthorization_required", row.id)
    assert event.detail["reason"] == "outcome_unknown"
    assert attempt_of(row) is None
    # And it is asked no more
    assert recover_at(now() + 9 * HOUR) == 0
    assert len(refreshes(single_use)) == 1


def test_a_connection_with_a_new_grant_is_left_alone(single_use: ScriptedProvider) -> None:
    (row,) = connect(single_use)
    begin_and_abandon(row)
    connect(single_use)
    assert reread(row).version == 2

    assert recover_at(now() + LEASE) == 0
    # And the next renewal is as any other
    assert renew_connection(row.id)["status"] == "active"
    assert "renewal_retried" not in event_kinds()


def test_a_renewal_that_is_interrupted_again_and_again_ends_the_grant(
    single_use: ScriptedProvider,
) -> None:
    (row,) = connect(single_use)
    begin_and_abandon(row)
    with hold_connection():
        TAB_ATTEMPTS.update(tries=5).execute()

    recover_at(now() + LEASE)

    assert refreshes(single_use) == []
    assert reread(row).status == ConnectionStatus.REAUTHORIZATION_REQUIRED
    assert last_event().detail["reason"] == "outcome_unknown"


def test_a_seal_of_an_answer_that_is_broken_is_as_good_as_no_answer(
    single_use: ScriptedProvider,
) -> None:
    (row,) = connect(single_use)
    begin_and_abandon(row)
    write_answer(row.id, 1, seal_answer("another", Secret("answer")))

    recover_at(now() + LEASE)

    assert reread(row).status == ConnectionStatus.ACTIVE
    assert len(refreshes(single_use)) == 1


def test_each_earlier_client_secret_is_tried_again(plain: ScriptedProvider) -> None:
    # Given two client secrets, and a renewal that was killed while it sent the second one
    patch_provider(NAME, {"client_secrets": ["newest", plain.client_secret]}, now())
    (row,) = connect(plain)
    begin_and_abandon(row)
    refused = b'{"status": 401, "content_type": "application/json"}\n{"error": "invalid_client"}'
    write_answer(row.id, 1, seal_answer(row.id, Secret.of(refused)))

    # Then the refusal of the first is not taken for the answer
    recover_at(now() + LEASE)
    assert reread(row).status == ConnectionStatus.ACTIVE


def test_an_answer_waits_for_a_provider_that_lacks_something(plain: ScriptedProvider) -> None:
    # Given an answer in the journal, and a provider whose settings are gone when it is found
    (row,) = connect(plain)
    begin_and_abandon(row)
    journal(row, b'{"access_token": "kept"}')
    change(row, provider="gone")
    recover_at(now() + LEASE)
    assert reread(row).status == ConnectionStatus.RENEWAL_FAILING

    # When they are back, then the answer is still there
    change(row, provider=NAME)
    renew_all(now() + HOUR)
    assert tokens_of(row)[0] == Secret("kept")
    assert refreshes(plain) == []


# -- Sent or not


@pytest.mark.parametrize(
    "nowhere", [f"http://{DISCARD}/token", "https://no-such-host.catfeeder-tests/token"]
)
def test_a_token_that_was_never_sent_is_as_it_was(nowhere: str, plain: ScriptedProvider) -> None:
    # Given a provider that does not listen, or that has no address
    (row,) = connect(plain)
    patch_provider(NAME, {"token_endpoint": nowhere}, now())
    with pytest.raises(ProviderUnreachable):
        renew_connection(row.id)
    assert attempt_of(row) is None

    # When it refuses the token later on, then that is its own doing
    patch_provider(NAME, {"token_endpoint": f"{plain.issuer}/token"}, now())
    plain.grants.end_all()
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)
    assert last_event().detail["reason"] == "provider_refused"


@pytest.mark.parametrize("answer", [broken_off(), Answer(500), html_answer(200)])
def test_a_token_that_was_sent_without_an_answer_may_be_spent(
    answer: Answer, plain: ScriptedProvider
) -> None:
    # Given a renewal that the provider did not answer in a form that is known
    (row,) = connect(plain)
    plain.answer("/token", answer)
    with pytest.raises((ProviderUnreachable, ProviderMisbehaved)):
        renew_connection(row.id)
    assert attempt_of(row) is not None

    # When it refuses the same token later on
    plain.answer("/token", json_answer({"error": "invalid_grant"}, 400))
    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)

    # Then the reason says that an earlier try may have spent it
    assert last_event().detail["reason"] == "outcome_unknown"


def test_an_outage_that_answers_nothing_ends_no_grant(plain: ScriptedProvider) -> None:
    # Given a provider that breaks off each answer, for much longer than tries are counted
    (row,) = connect(plain)
    plain.answer("/token", lambda _: broken_off())
    at = now() + HOUR
    for _ in range(12):
        renew_all(at)
        stored = reread(row)
        assert stored.status == ConnectionStatus.RENEWAL_FAILING
        at = max(at + timedelta(minutes=10), stored.renew_at)

    # When it is back, then so is the connection
    plain.recover("/token")
    renew_all(at + timedelta(minutes=20))
    assert reread(row).status == ConnectionStatus.ACTIVE


def test_an_answer_that_was_not_understood_is_read_again_before_the_token_is_sent_again(
    plain: ScriptedProvider,
) -> None:
    # Given an answer of a form that we do not know
    (row,) = connect(plain)
    plain.answer("/token", json_answer({"tokens": {"access": "x"}}))
    with pytest.raises(ProviderMisbehaved):
        renew_connection(row.id)
    kept = attempt_of(row)
    assert kept is not None
    answer = TAB_ATTEMPTS.answer.open(kept)
    assert answer is not None
    assert '"tokens"' in answer.reveal()

    # When we have learnt it, here by way of another answer in its place
    journal(row, b'{"access_token": "understood"}')
    asked = len(refreshes(plain))
    renew_connection(row.id)

    # Then it is the token
    assert tokens_of(row)[0] == Secret("understood")
    assert len(refreshes(plain)) == asked


def test_an_unforeseen_error_loses_no_answer_and_affects_no_other_connection(
    single_use: ScriptedProvider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = connect(single_use, 2)

    secret = "what stands in an answer"

    # Given a bug that the first answer triggers
    def fail_once(*_: object) -> Any:
        monkeypatch.setattr(token_endpoint, "read_tokens", read_tokens)
        raise KeyError(secret)

    monkeypatch.setattr(token_endpoint, "read_tokens", fail_once)
    renew_connections(lease_connections(rows))

    # Then the other one is renewed, and the log names the place, and nothing of the answer
    assert [reread(row).version for row in rows] == [1, 2]
    assert reread(rows[0]).status == ConnectionStatus.RENEWAL_FAILING
    assert "KeyError" in caplog.text
    assert secret not in caplog.text

    # When another version of the service renews it, then it reads what was kept
    renew_connection(rows[0].id)
    assert reread(rows[0]).version == 2
    assert len(refreshes(single_use)) == 2
    assert single_use.grants.refresh_token_reuses == 0


# -- A database that is away


# A client that finds its connection cut leaves the socket to Python.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("database")
class TestOutage:
    """A database that goes away during a renewal."""

    @pytest.fixture
    def toml_conf(self, toml_conf: dict[str, Any]) -> dict[str, Any]:
        """A second at most."""
        return {**toml_conf, "Database": {"busy_timeout_seconds": 1}}

    @pytest.fixture(autouse=True)
    def _nothing_left(self) -> Iterator[None]:
        yield
        # What was left to Python is found now, and not during another test.
        gc.collect()

    def test_an_answer_outlives_an_outage_of_the_database_and_the_process(
        self, single_use: ScriptedProvider, database_url: str, settings: Settings
    ) -> None:
        # Given a database that goes away while the provider is asked, and stays away
        (row,) = connect(single_use)
        leases = lease_connections([row])
        with (
            held_renewal(single_use, renew_connections, leases, SHORT) as held,
            outage(database_url),
        ):
            with pytest.raises(DatabaseUnreachable):
                held.finish()

            # Then the answer is in a file, which no other user can read, and which is sealed
            (path,) = answer_files(settings)
            assert path.stat().st_mode & 0o777 == 0o600
            assert path.parent.stat().st_mode & 0o777 == 0o700
            assert b"access" not in path.read_bytes()
            # And stays there as long as the database does not take it
            with pytest.raises(DatabaseUnreachable):
                import_answer_files(now())
            assert answer_files(settings) == [path]

        # When the database is back, and another process starts
        recover_at(now() + 2 * HOUR)

        # Then the token is the provider's latest, which saw none twice
        assert answer_files(settings) == []
        assert single_use.grants.refresh_token_reuses == 0
        assert len(refreshes(single_use)) == 1
        assert refresh_token_of(row) == latest_refresh_token(single_use)

    def test_a_short_outage_of_the_database_is_waited_for(
        self, single_use: ScriptedProvider, database_url: str, settings: Settings
    ) -> None:
        (row,) = connect(single_use)
        patient = RenewalLimits(outcome_seconds=60)
        leases = lease_connections([row])
        with held_renewal(single_use, renew_connections, leases, patient) as held:
            with outage(database_url):
                held.gate.open()
                wait_until(lambda: answer_files(settings))
            held.finish()

        assert reread(row).version == 2
        assert answer_files(settings) == []
        assert attempt_of(row) is None


def test_an_answer_is_kept_in_a_file_while_the_database_hangs(
    single_use: ScriptedProvider, settings: Settings, database_url: str
) -> None:
    # Given a database that neither takes the answer nor refuses it
    (row,) = connect(single_use)
    with held_renewal(single_use, renew_connections, lease_connections([row]), SHORT) as held:
        with outage(database_url):
            held.gate.open()
            # Then a process that is killed while it waits leaves the answer in a file
            wait_until(lambda: len(answer_files(settings)) == 1)
            assert held.running.running()
            assert reread(row).version == 1
        # And one that is not killed stores it, and erases the file
        held.finish()
    assert reread(row).version == 2
    assert answer_files(settings) == []


def test_the_next_renewals_of_a_machine_import_its_answer_files(
    single_use: ScriptedProvider, settings: Settings
) -> None:
    (row,) = connect(single_use)
    begin_and_abandon(row)
    (settings.var_dir / "answers").mkdir(parents=True)
    path = settings.var_dir / "answers" / f"{row.id}.1"
    path.write_bytes(seal_answer(row.id, Secret("an answer")))
    (path.parent / ".half-of-a-file").touch()

    import_answer_files(now())

    kept = attempt_of(row)
    assert kept is not None
    assert TAB_ATTEMPTS.answer.open(kept) == Secret("an answer")
    assert not path.exists()


# -- When


def test_a_process_that_starts_finishes_interrupted_renewals(
    single_use: ScriptedProvider, start_worker: StartWorker
) -> None:
    # Given a renewal that was cut off, and whose lease has run out
    (row,) = connect(single_use)
    begin_and_abandon(row)
    change(row, lease_until=now() - LEASE)

    # When a process starts that performs renewals
    start_worker()
    # Then it finishes it
    wait_until(lambda: reread(row).version == 2)


@pytest.mark.parametrize("what", ["a directory", "a pipe", "the folder"])
def test_an_unreadable_file_stops_no_renewal(
    what: str, plain: ScriptedProvider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # Given connections, one of which has an answer in a file, and something beside it
    row, other = connect(plain, 2)
    begin_and_abandon(row)
    folder = settings.var_dir / "answers"
    unreadable = folder / f"{other.id}.1"
    if what == "the folder":
        folder.parent.mkdir(parents=True)
        folder.touch()
    else:
        folder.mkdir(parents=True)
        (folder / f"{row.id}.1").write_bytes(seal_answer(row.id, Secret("an answer")))
        unreadable.mkdir() if what == "a directory" else os.mkfifo(unreadable)

    # When the machine renews, and sweeps
    renew_connections(lease_connections([other]))
    recover_at(now())

    # Then it is renewed, and what can be read was imported
    assert reread(other).version == 2
    assert what == "the folder" or attempt_of(row) is not None
    # And the log says once what is wrong
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert str(folder if what == "the folder" else unreadable) in errors[0]


def test_a_file_that_cannot_be_erased_stops_no_renewal(
    plain: ScriptedProvider, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a directory in the place of a connection's file
    (row,) = connect(plain)
    path = settings.var_dir / "answers" / f"{row.id}.1"
    path.mkdir(parents=True)

    erase_answer_file(row.id, 1)

    assert str(path) in caplog.text
