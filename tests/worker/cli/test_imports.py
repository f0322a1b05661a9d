"""`import`: files of other systems, mapped by flags, tried first, stopped, repeated and proven."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.connections.reading import list_connections
from actors.moving import file_import, importing
from actors.providers.config.settings import put_provider
from catfeeder.clock import rfc3339, utc_now
from config import current_settings
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.sign_ins import configure_plain
from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def stored() -> list[TAB_CONNECTIONS]:
    with hold_connection():
        return TAB_CONNECTIONS.list_page(limit=1000)


def refusals() -> list[dict[str, Any]]:
    [report] = (current_settings().var_dir / "imports").glob("*.refused.jsonl")
    assert report.stat().st_mode & 0o077 == 0
    return [json.loads(line) for line in report.read_text().splitlines()]


@pytest.mark.usefixtures("database")
def test_a_file_is_tried_imported_and_imported_again(
    command: Command, provider: ScriptedProvider, tmp_path: Path
) -> None:
    # Given a file with three good records and four that cannot be imported
    configure_plain(provider)
    good: list[dict[str, Any]] = [
        {"provider": "scripted", "refresh_token": f"good-{number}", "profile": {"subject": number}}
        for number in range(3)
    ]
    bad: list[dict[str, Any]] = [
        {"provider": "scripted", "refresh_token": "other-1", "profile": {"subject": 1}},
        {"provider": "nobody-secret", "refresh_token": "r-secret"},
        {"provider": "scripted"},
        {"provider": "scripted", "refresh_token": ["secret"]},
    ]
    path = write_lines(tmp_path / "all.jsonl", [*good, *bad])
    path.write_text(path.read_text() + "{secret\n")
    # And a report that would replace another file, or has no folder
    text = path.read_text()
    for report, sentence in (
        (path, f"{path} is there already, and no report of an import: name another."),
        (tmp_path / "none" / "r", f"The folder {tmp_path / 'none'} is not there: make it first"),
    ):
        ended = command("import", str(path), "--report", str(report))
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith(sentence)
        assert (path.read_text(), stored()) == (text, [])
    # When it is tried, then all is said and nothing is stored
    named = ("--report", str(tmp_path / "refused.jsonl"))
    assert command("import", str(path), "--dry-run", *named).returncode == 1
    assert command("import", str(path), "--dry-run", *named).returncode == 1
    assert (tmp_path / "refused.jsonl").read_text().count("\n") == 5
    tried = command("import", str(path), "--dry-run")
    assert "3 created, 5 refused. Nothing was stored." in tried.stdout, tried
    assert stored() == []
    # When it is imported
    ended = command("import", str(path))
    assert (ended.returncode, ended.stdout) == (1, "8 records: 3 created, 5 refused.\n")
    # Then the report names each of the rest, and holds nothing of it
    assert [(it["number"], it["code"]) for it in refusals()] == [
        (4, "connection_exists"),
        (5, "provider_unknown"),
        (6, "import_invalid"),
        (7, "import_invalid"),
        (8, "import_invalid"),
    ]
    assert "secret" not in json.dumps(refusals()) + ended.stderr
    # And once more it changes nothing
    before = [row.__data__ for row in stored()]
    again = command("import", str(path))
    assert again.stdout == "8 records: 3 known, 5 refused.\n"
    assert [row.__data__ for row in stored()] == before


@pytest.mark.usefixtures("tables")
def test_each_record_names_the_customer_whose_it_is(
    command: Command, provider: ScriptedProvider, tmp_path: Path
) -> None:
    # Given a provider with a path for each customer, and records that name theirs, or do not
    configure_plain(
        provider,
        token_endpoint=f"{provider.issuer}/{{tenant}}/token",
        variables={"tenant": "[a-z]+"},
    )
    records: list[dict[str, Any]] = [
        {"refresh_token": "r-1", "connection_config": {"tenant": "acme"}},
        {"refresh_token": "r-2", "variables": {"tenant": "globex"}},
        {"refresh_token": "r-3", "variables": {"tenant": "acme", "secret": "x"}},
        {"refresh_token": "r-4", "connection_config": {"tenant": "../evil"}},
    ]
    known = [{**record, "profile": {"subject": "u-1"}} for record in records]
    path = write_lines(tmp_path / "nango.jsonl", known)
    # When it is imported
    mapped = ("--map", "variables.tenant=connection_config.tenant")
    ended = command("import", str(path), "--provider", "scripted", *mapped)
    # Then one user of two customers is two accounts, and no token would go to another place
    assert ended.stdout == "4 records: 2 created, 2 refused.\n", ended
    assert sorted(row.variables["tenant"] for row in stored()) == ["acme", "globex"]
    assert [it["code"] for it in refusals()] == ["variables_invalid"] * 2
    assert not {"evil", "secret"} & set(re.findall("[a-z]+", json.dumps(refusals())))


@pytest.mark.usefixtures("tables")
def test_columns_are_mapped(command: Command, provider: ScriptedProvider, tmp_path: Path) -> None:
    # Given CSV of another system, with names, times, scopes and JSON of its own
    configure_plain(provider)
    path = tmp_path / "dump.csv"
    ends_at = int((utc_now() + timedelta(hours=2)).timestamp())
    extra = json.dumps({"expires": ends_at, "scope": ["a", "b"], "team": "t-1"}).replace('"', '""')
    path.write_text(
        "user_id,prov,uid,token,token_secret,extra_data\n"
        f'7,theirs,u-77,acc,ref,"{extra}"\n8,theirs,u-88,acc2,,\n9,theirs,short\n'
    )
    # When it is imported by flags
    maps = {
        "provider": "prov",
        "subject": "user_id",
        "profile.subject": "uid",
        "access_token": "token",
        "refresh_token": "token_secret",
        "expires_at": "extra_data.expires",
        "scope": "extra_data.scope",
        "metadata.team_id": "extra_data.team",
    }
    flags = [part for name, place in maps.items() for part in ("--map", f"{name}={place}")]
    ended = command("import", str(path), "--rename", "theirs=scripted", *flags)
    # Then each is where it belongs
    assert ended.stdout == "3 records: 2 created, 1 refused.\n", ended
    first, second = sorted(list_connections()["items"], key=lambda item: str(item["subject"]))
    assert (first["subject"], first["profile"]["subject"]) == ("7", "u-77")
    assert (first["scope"], first["metadata"]) == ("a b", {"team_id": "t-1"})
    assert str(first["expires_at"])[:16] == rfc3339(utc_now() + timedelta(hours=2))[:16]
    assert (second["scope"], second["expires_at"]) == ("", None)
    # And a flag that says nothing is refused
    wrong = command("import", str(path), "--map", "token=x")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("A connection has no token; it has ")


@pytest.mark.usefixtures("tables")
def test_an_import_goes_on_where_it_stopped(
    command: Command, provider: ScriptedProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an import that is stopped in its third batch
    configure_plain(provider)
    monkeypatch.setattr(file_import, "_BATCH", 2)
    records = [{"provider": "scripted", "refresh_token": f"r-{it}"} for it in range(5)]
    records[0] = {"provider": "scripted"}
    path = write_lines(tmp_path / "all.jsonl", records)
    store, calls = importing.store_prepared, []

    def stop(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return store(*args, **options)

    monkeypatch.setattr(file_import, "store_prepared", stop)
    assert command("import", str(path)).returncode == 130
    assert len(stored()) == 3
    # When it is called again
    ended = command("import", str(path))
    # Then it does the rest alone, and its report is whole
    assert ended.stdout.splitlines() == [
        "An import of this file has stopped after 4 records; it goes on.",
        "5 records: 4 created, 1 refused.",
    ]
    assert len(calls) == 4
    assert [it["number"] for it in refusals()] == [1]


@pytest.mark.usefixtures("tables")
def test_grants_are_proven_and_first_renewals_spread(
    command: Command, provider: ScriptedProvider, tmp_path: Path
) -> None:
    # Given tokens that all run out together, one of them spent
    configure_plain(provider)
    tokens = []
    for _ in range(3):
        grant = provider.grants.begin({"scope": "read"})
        tokens.append(provider.grants.add_tokens(grant, with_refresh_token=True)[1])
    ends_at = rfc3339(utc_now() + timedelta(hours=8))
    records = [
        {"provider": "scripted", "refresh_token": token, "access_token": "a", "expires_at": ends_at}
        for token in [*tokens, *(f"spent-{it}" for it in range(20))]
    ]
    path = write_lines(tmp_path / "all.jsonl", records)
    # When they are imported, then no two are renewed at the same time
    assert command("import", str(path)).returncode == 0
    times = sorted(row.renew_at for row in stored())
    assert times[-1] - times[0] > timedelta(hours=2)
    assert times[-1] < utc_now() + timedelta(hours=8)
    # When others are proven as they come
    proven = write_lines(
        tmp_path / "new.jsonl",
        [{**record, "subject": str(number)} for number, record in enumerate(records[2:4])],
    )
    ended = command("import", str(proven), "--verify")
    assert ended.stdout == "2 records: 2 created, 1 unverified, 1 verified.\n", ended
    [refusal] = [it for it in refusals() if it["code"] == "reauthorization_required"]
    assert refusal["number"] == 2


@pytest.mark.usefixtures("tables")
def test_credentials_are_moved_in_and_proven(
    command: Command, provider: ScriptedProvider, tmp_path: Path
) -> None:
    # Given a provider that can be asked about API keys, and one that issues tokens to clients
    def check(request: Request) -> Answer:
        return Answer(200 if request.headers.get("authorization") == "Bearer right" else 401)

    provider.answer("/check", check)
    provider.answer("/clients", lambda _: json_answer({"access_token": "t", "expires_in": 60}))
    url, client = f"{provider.issuer}/clients", "client_credentials"
    key = {"credential_type": "api_key", "check_endpoint": f"{provider.issuer}/check"}
    put_provider("mailer", key, utc_now())
    put_provider("clients", {"token_endpoint": url, "grant_types": [client]}, utc_now())
    path = tmp_path / "keys.csv"
    path.write_text(
        "kind,user,key,id,secret\nmailer,1,right,,\nmailer,2,wrong,,\nclients,,,c-1,sesame\n"
        "clients,,,c-2,\n"
    )
    # When they are imported by flags and proven
    names = {"api_key": "key", "client_id": "id", "client_secret": "secret"}
    maps = {"provider": "kind", "subject": "user"}
    maps |= {f"credentials.{name}": column for name, column in names.items()}
    flags = [part for name, place in maps.items() for part in ("--map", f"{name}={place}")]
    ended = command("import", str(path), "--verify", *flags)
    # Then each that works has a connection that can be used, and the others are listed
    assert ended.stdout == "4 records: 3 created, 1 refused, 1 unverified, 2 verified.\n", ended
    assert {it["number"]: it["code"] for it in refusals()} == {
        2: "credentials_refused",
        4: "credentials_invalid",
    }
    assert {str(row.status) for row in stored()} == {"active"}
    # And once more it changes nothing
    assert command("import", str(path), *flags).stdout == "4 records: 3 known, 1 refused.\n"
