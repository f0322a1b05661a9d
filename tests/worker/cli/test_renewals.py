"""The command that lists what would be renewed, as an operator types it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.models.rows import grant, stored_connection
from tests.worker.service_directory import ServiceDirectory
from worker.cli import renewals as renewal_listing

Renewals = Callable[..., CompletedProcess[str]]


@pytest.fixture
def renewals(tmp_path: Path, environment: dict[str, str]) -> Renewals:
    """Type the command, with arguments."""
    (tmp_path / "here").mkdir()
    directory = ServiceDirectory(tmp_path / "here")
    return lambda *arguments: directory.worker("renewals", *arguments, **environment)


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
def test_it_lists_the_next_day_and_renews_nothing(renewals: Renewals) -> None:
    # Given a connection that is due, one that will be in two days, and one that would fail
    put_provider("google", {"preset": "google", "client_id": "a", "client_secret": "b"}, utc_now())
    due = store("1", hours=-1)
    hopeless = store("2", hours=3, provider="gone")
    later = store("3", hours=47)

    # When the operator asks what would be renewed
    ended = renewals()

    # Then it is told, in its order, with what would go wrong
    assert ended.returncode == 0, ended.stderr
    first, second, fault = ended.stdout.splitlines()
    assert due in first
    assert "google" in first
    assert "The token expires at" in first
    assert hopeless in second
    assert fault.strip() == "would fail: No provider named gone is configured."
    assert ended.stderr == "2 renewals would be made. None was.\n"
    # And nothing has happened
    with hold_connection():
        assert TAB_CONNECTIONS.get_by_id(due).version == 1
        assert TAB_CONNECTIONS.get_by_id(due).lease_until is None
    # And it looks further ahead on request
    assert later in renewals("--days", "3").stdout


@pytest.mark.usefixtures("tables")
def test_it_tells_of_grants_that_end_soon(renewals: Renewals) -> None:
    put_provider("google", {"preset": "google", "client_id": "a", "client_secret": "b"}, utc_now())
    for name, days in (("1", 13), ("2", 15), ("3", 0)):
        row_id = store(name, hours=int(name))
        with hold_connection():
            ends_at = utc_now() + timedelta(days=days) if days else None
            row = TAB_CONNECTIONS.update(grant_expires_at=ends_at)
            row.where(TAB_CONNECTIONS.id == row_id).execute()

    told = renewals().stdout.splitlines()
    assert len(told) == 4
    assert told[1].strip().startswith("grant ends: 20")


@pytest.mark.usefixtures("tables")
def test_it_narrows_down_and_says_what_it_leaves_out(renewals: Renewals) -> None:
    ids = [store(str(number), hours=number) for number in range(3)]
    other = store("other", hours=0, provider="github")
    with hold_connection():
        TAB_CONNECTIONS.update(
            status=ConnectionStatus.RENEWAL_FAILING, failures=2, reason="It is down."
        ).where(TAB_CONNECTIONS.id == ids[1]).execute()

    limited = renewals("--provider", "google", "--limit", "2")
    assert ids[0] in limited.stdout
    assert other not in limited.stdout
    assert limited.stderr == "2 renewals would be made; --limit leaves out more. None was.\n"
    failing = renewals("--failing")
    assert failing.stderr.startswith("1 renewals")
    assert "Failed 2 times in a row: It is down." in failing.stdout


@pytest.mark.usefixtures("tables")
def test_it_says_when_nobody_asks_for_renewals(renewals: Renewals, tmp_path: Path) -> None:
    path = tmp_path / "here" / "config.toml"
    path.write_text(
        path.read_text().replace("renew_oath_tokens = true", "renew_oath_tokens = false")
    )

    assert "renew_oath_tokens is off in config.toml" in renewals().stderr


@pytest.mark.parametrize("arguments", [("--days", "0"), ("--limit", "x"), ("--hours", "1")])
def test_an_option_that_is_none_is_refused(renewals: Renewals, arguments: tuple[str, ...]) -> None:
    ended = renewals(*arguments)

    assert ended.returncode == 2
    assert arguments[0] in ended.stderr


@pytest.mark.usefixtures("tables")
def test_it_reads_page_by_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Given more connections than one page holds
    ids = [store(str(number), hours=number) for number in range(5)]
    monkeypatch.setattr(renewal_listing, "_PAGE", 2)

    # When they are listed
    renewal_listing.run_renewal_listing(provider=None, failing=False, days=1, limit=5)

    # Then each is there, once
    said = capsys.readouterr()
    assert [said.out.count(connection_id) for connection_id in ids] == [1] * 5
    assert said.err == "5 renewals would be made. None was.\n"
