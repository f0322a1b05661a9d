"""`renewals`: the dry run lists what would be renewed, and why, and renews nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.apps.registration import create_app
from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from catfeeder.queue.requester import act_for
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.models.rows import grant, stored_connection
from tests.worker.cli.conftest import Command
from worker.cli.work.renewals import print_renewals


def store(name: str, *, hours: float, provider: str = "google") -> str:
    """Store a connection that falls due in so many hours; return its id."""
    now = utc_now()
    with hold_connection():
        row = stored_connection(
            name,
            provider=provider,
            grant=grant(
                renew_at=now + timedelta(hours=hours), expires_at=now + timedelta(hours=hours + 1)
            ),
        )
    return str(row.id)


@pytest.mark.usefixtures("tables")
def test_the_next_day_is_listed_and_nothing_is_renewed(command: Command) -> None:
    # Given a connection that is due, one that will be in two days, and one that would fail
    put_provider("google", {"preset": "google", "client_id": "a", "client_secret": "b"}, utc_now())
    due = store("1", hours=-1)
    hopeless = store("2", hours=3, provider="gone")
    later = store("3", hours=47)

    # When the operator asks what would be renewed
    ended = command("renewals")

    # Then they are listed in their order, with what would go wrong
    assert ended.returncode == 0, ended.stderr
    head, first, second = ended.stdout.splitlines()
    assert head.split("\t")[:2] == ["RENEW AT", "PROVIDER"]
    assert due in first
    assert "google" in first
    assert "The token expires at" in first
    assert hopeless in second
    fault = second.split("\t")[-1]
    assert fault.startswith(
        "No provider named gone is configured: `python -m worker providers set gone`"
    )
    assert ended.stderr == "2 renewals would be made. None was.\n"
    # And nothing has happened
    with hold_connection():
        assert TAB_CONNECTIONS.get_by_id(due).version == 1
        assert TAB_CONNECTIONS.get_by_id(due).lease_until is None
    # And it looks further ahead on request
    assert later in command("renewals", "--days", "3").stdout


@pytest.mark.usefixtures("tables")
def test_a_grant_that_ends_soon_is_listed_with_its_end(command: Command) -> None:
    put_provider("google", {"preset": "google", "client_id": "a", "client_secret": "b"}, utc_now())
    for name, days in (("1", 13), ("2", 15), ("3", 0)):
        row_id = store(name, hours=int(name))
        with hold_connection():
            ends_at = utc_now() + timedelta(days=days) if days else None
            row = TAB_CONNECTIONS.update(grant_expires_at=ends_at)
            row.where(TAB_CONNECTIONS.id == row_id).execute()

    printed = command("renewals").stdout.splitlines()
    ends = [line.split("\t")[4] for line in printed]
    assert [end[:2] for end in ends] == ["GR", "20", "-", "-"]


@pytest.mark.usefixtures("tables")
def test_filters_and_the_limit_leave_renewals_out(command: Command) -> None:
    ids = [store(str(number), hours=number) for number in range(3)]
    other = store("other", hours=0, provider="github")
    with hold_connection():
        TAB_CONNECTIONS.update(
            status=ConnectionStatus.RENEWAL_FAILING, failures=2, reason="It is down."
        ).where(TAB_CONNECTIONS.id == ids[1]).execute()

    limited = command("renewals", "--provider", "google", "--limit", "2")
    assert ids[0] in limited.stdout
    assert other not in limited.stdout
    assert limited.stderr == "2 renewals would be made; --limit leaves out more. None was.\n"
    failing = command("renewals", "--failing")
    assert failing.stderr.startswith("1 renewals")
    assert "Failed 2 times in a row: It is down." in failing.stdout


@pytest.mark.usefixtures("tables")
def test_a_provider_is_named_as_people_name_it_or_refused(command: Command) -> None:
    # Given connections of an app's own provider, and of one whose settings are gone
    create_app("web-shop", "Shop", {}, utc_now())
    with act_for("web-shop"):
        settings = {"preset": "google", "client_id": "a", "client_secret": "b"}
        put_provider("house", settings, utc_now())
    own, ended = (store(name, hours=1, provider="web-shop/house") for name in "12")
    orphan = store("3", hours=1, provider="gone")
    with hold_connection():
        lost = TAB_CONNECTIONS.update(status=ConnectionStatus.REAUTHORIZATION_REQUIRED)
        lost.where(TAB_CONNECTIONS.id == ended).execute()
    # When the operator asks for each by its name
    # Then its connections are listed, whichever app's they are
    assert own in command("renewals", "--provider", "house").stdout
    assert ended in command("renewals", "--failing", "--provider", "house").stdout
    assert orphan in command("renewals", "--provider", "gone").stdout
    # And a name that nothing has is no empty list
    for name in ("nobody", "Google", ""):
        refused = command("renewals", "--provider", name)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("No provider ")


@pytest.mark.parametrize("toml_conf", [{"Crons": {"renew_oath_tokens": False}}])
@pytest.mark.usefixtures("tables")
def test_a_schedule_without_renewals_is_named(command: Command) -> None:
    assert "renew_oath_tokens is off in config.toml" in command("renewals").stderr


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--limit", "x"), ("--hours", "1")])
def test_a_wrong_option_is_refused(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command("renewals", *arguments)

    assert ended.returncode == 2
    assert arguments[0] in ended.stderr


@pytest.mark.usefixtures("tables")
def test_the_failing_ones_include_those_that_wait_for_their_users(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given a connection that is well, and three whose users have to sign in again
    store("well", hours=1)
    ids = [store(str(number), hours=1) for number in range(3)]
    with hold_connection():
        TAB_CONNECTIONS.update(
            status=ConnectionStatus.REAUTHORIZATION_REQUIRED, renew_at=None, reason="It is over."
        ).where(TAB_CONNECTIONS.id.in_(ids)).execute()
    # When the operator lists what fails, also by pages of two
    ended = command("renewals", "--failing")
    print_renewals("google", is_failing=True, days=1, limit=100, page_size=2)
    assert capsys.readouterr().out == ended.stdout
    # Then they are there with the reason, and the other is not
    _, *lines = ended.stdout.splitlines()
    assert {line.split()[2] for line in lines} == set(ids)
    assert all("The user has to sign in again: It is over." in line for line in lines)
    assert "3 connections wait for their users." in ended.stderr
    # And the limit and the provider leave some out
    limited = command("renewals", "--failing", "--limit", "2")
    assert len(limited.stdout.splitlines()) == 3
    assert "2 connections wait for their users; --limit leaves out more." in limited.stderr
    assert command("renewals", "--failing", "--provider", "github").stdout == ""
    # And where failed renewals alone fill the limit, it is said that more is left
    failing = store("failing", hours=1)
    with hold_connection():
        rows = TAB_CONNECTIONS.update(status=ConnectionStatus.RENEWAL_FAILING)
        rows.where(TAB_CONNECTIONS.id == failing).execute()
    full = command("renewals", "--failing", "--limit", "1")
    assert [name in full.stdout for name in (failing, *ids)] == [True, False, False, False]
    assert "0 connections wait for their users; --limit leaves out more." in full.stderr
