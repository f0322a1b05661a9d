"""`export`: all of an app, readable by its recipient alone, and imported back as it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.connections.reading import list_connections
from actors.connections.token_reading import read_token
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import connect
from tests.actors.sign_ins import configure_plain
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command


def erase_all() -> None:
    with hold_connection():
        for row in TAB_CONNECTIONS.list_page(limit=1000):
            TAB_CONNECTIONS.erase(row.id)


def access_tokens_of(app: str, *, apart_from: set[str]) -> set[str]:
    """Return the tokens of connections that are whole, and have other ids."""
    with hold_connection():
        rows = TAB_CONNECTIONS.keep_authentic(TAB_CONNECTIONS.list_page(app=app, limit=9))
        assert {row.id for row in rows}.isdisjoint(apart_from)
        secrets = [TAB_CONNECTIONS.access_token.open(row) for row in rows]
    return {secret.reveal() for secret in secrets if secret}


def without_times(items: list[Any]) -> list[dict[str, Any]]:
    return [{name: it for name, it in item.items() if name != "updated_at"} for item in items]


@pytest.mark.usefixtures("database")
def test_an_app_is_exported_and_imported_back(
    command: Command, provider: ScriptedProvider, tmp_path: Path
) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the package that encrypts exports")
    # Given connections of an app, and a recipient
    configure_plain(provider)
    rows = connect(provider, 3)
    before = list_connections()["items"]
    tokens = [read_token(row.id, utc_now()).json["access_token"] for row in rows]
    key = pyrage.x25519.Identity.generate()
    identity, path = tmp_path / "key.txt", tmp_path / "all.jsonl.age"
    identity.write_text(f"# created: today\n{key}\n")
    # When it is exported
    asked = ("export", str(path), "--recipient", str(key.to_public()))
    assert [command(*asked, *more).returncode for more in ((), (), ("--overwrite",))] == [0, 1, 0]
    # Then only its owner can read the file, and no token stands in it
    content = path.read_bytes()
    assert (path.stat().st_mode & 0o077, content[:21]) == (0, b"age-encryption.org/v1")
    assert not any(str(token).encode() in content for token in tokens)
    # When all is lost, and imported back, then the connections are those of before
    erase_all()
    ended = command("import", str(path), "--identity", str(identity))
    assert ended.stdout.endswith("\n3 records: 3 created.\n"), ended
    assert without_times(list_connections()["items"]) == without_times(before)
    assert [read_token(row.id, utc_now()).json["access_token"] for row in rows] == tokens
    with hold_connection():
        assert all(it.renew_at < utc_now() + timedelta(hours=1) for it in TAB_CONNECTIONS.select())
    # And for another app they are connections of its own, under other ids
    assert command("apps", "add", "blog").returncode == 0
    ended = command("import", str(path), "--identity", str(identity), "--app", "blog")
    assert ended.stdout.endswith("\n3 records: 3 created.\n"), ended
    assert access_tokens_of("blog", apart_from={row.id for row in rows}) == set(tokens)
    # And another identity opens nothing
    identity.write_text(str(pyrage.x25519.Identity.generate()))
    ended = command("import", str(path), "--identity", str(identity))
    assert ended.stderr == "The identity does not open the file, or it is damaged.\n"
    # And what is no recipient is refused, and leaves no file
    ended = command("export", str(tmp_path / "no.age"), "--recipient", "age1x")
    assert ended.stderr == "An age recipient is not valid.\n"
    assert [*tmp_path.glob("no*"), *tmp_path.glob("*.part")] == []
