"""Logins: a table of other software's hashes moves to Argon2id while its users log in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import peewee
import pytest

import catfeeder
from catfeeder.client import Client
from catfeeder.logins import Login
from config import Settings
from tests.actors.passwords.stored.test_foreign_hashes import BCRYPT, DIGESTS, WHOLE

#: What a table holds that Django wrote over the years, some of it taken over from other software.
FORMS: Final[dict[str, Callable[[str], str]]] = {
    **{f"django-{name}": WHOLE[f"django-{name}"] for name in ("pbkdf2_sha256", "pbkdf2_sha1")},
    **{f"django-{name}": WHOLE[f"django-{name}"] for name in ("argon2", "bcrypt_sha256", "scrypt")},
    "django-bcrypt": BCRYPT["django-bcrypt"],
    "django-md5": DIGESTS["django_md5"],
    "passlib-sha512_crypt": WHOLE["passlib-sha512_crypt"],
    "passlib-phpass": WHOLE["passlib-phpass"],
    "werkzeug-scrypt": WHOLE["werkzeug-scrypt:1024:8:1"],
}
PASSWORD: Final = "pässword "


@pytest.fixture
def toml_conf(toml_conf: dict[str, Any]) -> dict[str, Any]:
    """A service that hashes with Argon2id, and takes the oldest of those hashes."""
    chosen = {"scheme": "argon2id", "argon2": "owasp-7-mib", "accept_digests": ["django_md5"]}
    toml_conf["Passwords"] |= chosen
    return toml_conf


@pytest.mark.usefixtures("worker")
def test_a_table_of_ten_forms_is_of_argon2id_after_each_user_has_logged_in(
    client: Client, tmp_path: Path
) -> None:
    # Given a table of users, whose hashes have ten forms
    users = peewee.SqliteDatabase(str(tmp_path / "users.sqlite3"))
    with users.connection_context():
        users.execute_sql("CREATE TABLE auth_user (username TEXT PRIMARY KEY, password TEXT)")
        rows = [(name, make(PASSWORD + name)) for name, make in FORMS.items()]
        for row in rows:
            users.execute_sql("INSERT INTO auth_user VALUES (?, ?)", row)

        def login(username: str, password: str) -> bool:
            query = "SELECT password FROM auth_user WHERE username = ?"
            found = users.execute_sql(query, (username,)).fetchone()
            outcome = client.login(password, found and found[0], timeout=60)
            if outcome.new_hash is not None:
                update = "UPDATE auth_user SET password = ? WHERE username = ?"
                users.execute_sql(update, (outcome.new_hash, username))
            return outcome.valid

        # When each logs in, and others try to
        logins = {name: login(name, PASSWORD + name) for name in FORMS}
        wrong = [login("django-scrypt", PASSWORD), login("nobody", PASSWORD)]
        # Then no user was refused, and no other let in
        assert logins == dict.fromkeys(FORMS, True)
        assert wrong == [False, False]
        # And every row is of Argon2id, by which each logs in again
        hashes = dict(users.execute_sql("SELECT username, password FROM auth_user").fetchall())
        assert [text[:30] for text in hashes.values()] == ["$argon2id$v=19$m=7168,t=5,p=1$"] * 10
        assert client.login(PASSWORD + "django-md5", hashes["django-md5"], timeout=60) == Login(
            True
        )
    users.close()


@pytest.mark.anyio
@pytest.mark.usefixtures("worker")
async def test_tasks_log_in_as_threads_do(settings: Settings, queue_key: str) -> None:
    old = BCRYPT["passlib-bcrypt-2a"]("correct horse")
    async with catfeeder.connect_async(settings.required_redis_url(), queue_key) as tasks:
        login = functools.partial(tasks.login, timeout=60)
        # Given the right password of an old hash, then there is one to store
        outcome = await login("correct horse", old)
        assert outcome
        assert str(outcome.new_hash).startswith("$argon2id$")
        assert "argon2id" not in repr(outcome)
        # And none for a wrong one, for an unknown user, and where nothing is outdated
        assert await login("wrong", old) == Login(False)
        assert await login("correct horse", None) == Login(False)
        assert await login("correct horse", outcome.new_hash) == Login(True)
        assert str((await login("correct horse", old, scheme="bcrypt")).new_hash).startswith("$2b$")
