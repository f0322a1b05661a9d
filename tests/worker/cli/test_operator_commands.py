"""`make-key`, the derived keys and `check-provider`: keys are printed alone, mistakes by name."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import config
from actors.api_keys import find_holder, list_api_keys
from actors.apps.settings import read_app_settings
from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from catfeeder.queue.keys import AppKey
from config import current_settings
from models.db.database import database as the_database
from models.db.database import hold_connection, open_database
from tests.conftest import OTHER_SECRET_KEY, SECRET_KEY
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command, Ended
from worker.__main__ import PROCESSES
from worker.cli.application import build_application


def list_commands() -> Iterator[str]:
    """Yield every command, as it is typed."""
    root: Any = typer.main.get_command(build_application())
    for noun, group in root.commands.items():
        verbs = getattr(group, "commands", None)
        yield from [noun] if verbs is None else (f"{noun} {verb}" for verb in verbs)


@pytest.mark.usefixtures("tables")
def test_make_key_prints_the_key_alone(command: Command) -> None:
    # When a key is made
    asked = ("make-key", "web shop", "--scope", "jobs", "--scope", "connections:read")
    ended = command(*asked, "--days", "30", "--requests-per-minute", "7")
    # Then stdout holds the key and nothing else, and it serves as it was asked for
    assert ended.returncode == 0, ended.stderr
    key = ended.stdout.strip()
    holder = find_holder(key, utc_now())
    assert holder is not None
    assert sorted(holder.scopes) == ["connections:read", "jobs"]
    assert holder.requests_per_minute == 7
    [listed] = list_api_keys()
    assert (listed["name"], listed["id"]) == ("web shop", holder.key_id)
    assert listed["expires_at"] is not None
    # And stderr names the key, but does not hold it
    assert re.fullmatch(
        f"Key {holder.key_id} serves jobs, connections:read, until [0-9TZ:.-]+[.]\n", ended.stderr
    )


@pytest.mark.usefixtures("tables")
def test_make_key_names_a_wrong_argument(command: Command) -> None:
    wrong = command("make-key", "shop", "--scope", "everything")
    endless = command("make-key", "shop", "--scope", "jobs", "--days", "9999")
    without = command("make-key", "shop")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("The API key cannot be made: scopes:")
    assert (endless.returncode, without.returncode) == (2, 2)
    assert "less than or equal to 3650" in endless.stderr
    assert "--scope" in without.stderr
    assert list_api_keys() == []


@pytest.mark.usefixtures("settings")
def test_commands_need_a_database_that_is_up_to_date(command: Command) -> None:
    open_database(current_settings())
    for typed in (("make-key", "shop", "--scope", "jobs"), ("check-provider", "google")):
        ended = command(*typed)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "python -m worker migrate" in ended.stderr


@pytest.mark.usefixtures("settings")
def test_only_a_start_makes_a_database(
    command: Command, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a path that is mistyped
    path = tmp_path / "mistyped" / "catfeeder.sqlite3"
    environment["DATABASE_URL"] = f"sqlite:///{path}"
    monkeypatch.setenv("SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("DATABASE_URL", environment["DATABASE_URL"])
    typed = (
        *("reseal", "rows list", "rows accept apps x", "renewals", "events", "import dump.csv"),
        *("export all.age --recipient age1x", "keys webhook --app web-shop", "keys list"),
        *("keys redis-acl web-shop", "keys make shop --scope jobs", "keys revoke x", "apps list"),
        *("apps show x", "apps add web-shop", "apps change x", "apps delete x"),
        *("apps revoke-queue-key x", "connections list", "connections show x"),
        *("connections renew x", "connections disconnect x --yes", "connections reconnect-link x"),
        *("providers list", "providers show google", "providers check google"),
        *("providers set google client_id=x", "providers pause google", "providers resume google"),
        *("queues pause oauth", "queues resume oauth", "jobs list", "backup all.gz"),
        *("webhooks list", "webhooks show 1", "webhooks resend --all"),
    )
    elsewhere = {*PROCESSES, "migrate", "completion", "config check", "restore"}
    without_database = {"queues list", "queues dead-letters", "queues replay", "queues discard"}
    without_database |= {"providers search", "jobs show", "jobs cancel", "keys queue-roots"}
    without_database |= {"passwords tune", "passwords build-breach-filter"}
    tried = {" ".join(one.split()[:2]) for one in typed} | {one.split()[0] for one in typed}
    known = set(list_commands())
    assert known <= tried | elsewhere | without_database | {"keys queue"}

    # When any command is typed but those by which a service starts
    for name in typed:
        config.current_settings.cache_clear()
        ended = command(*name.split())

        # Then it says that there is none, where, and what would make one
        assert ended.returncode == 1, name
        assert ended.stderr.startswith(f"There is no database at {path}: check DATABASE_URL"), name
        assert "`python -m worker migrate`" in ended.stderr
        # And makes nothing
        assert not path.parent.exists(), name
    # And the key of the first app, which is needed before the first start, is printed all the same
    ended = command("queue-key")
    assert ended.stdout.startswith("cfq_default.1.")
    assert ended.stderr.startswith(f"There is no database at {path}")
    assert not path.parent.exists()


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("name", "prefix", "altchars"),
    [("queue-key", "cfq_default.1.", "-_"), ("webhook-key", "whsec_", None)],
)
def test_a_derived_key_is_printed_and_needs_the_secret(
    command: Command, environment: dict[str, str], name: str, prefix: str, altchars: str | None
) -> None:
    def print_key(secret_key: str) -> Ended:
        environment["SECRET_KEY"] = secret_key
        current_settings.cache_clear()
        return command(name)

    first, same, other, none = map(print_key, (SECRET_KEY, SECRET_KEY, OTHER_SECRET_KEY, ""))
    key = first.stdout.strip().removeprefix(prefix)
    assert first.stdout == f"{prefix}{key}\n" == same.stdout != other.stdout
    assert len(base64.b64decode(f"{key}="[:44], altchars, validate=True)) == 32
    assert none.returncode == 1
    assert "SECRET_KEY is not set" in none.stderr


@pytest.mark.usefixtures("tables")
def test_each_app_has_a_webhook_key_of_its_own(command: Command) -> None:
    assert command("apps", "add", "web-shop").returncode == 0
    keys = [
        command("webhook-key", *more).stdout
        for more in ((), ("--app", "default"), ("--app", "web-shop"))
    ]
    assert keys[0] == keys[1] != keys[2]
    unknown = command("webhook-key", "--app", "web-shoq")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert "There is no app of that id" in unknown.stderr


@pytest.mark.usefixtures("tables")
def test_check_provider_prints_each_finding(command: Command, provider: ScriptedProvider) -> None:
    # Given a provider that is well
    known = {"issuer": provider.issuer, **provider.credentials()}
    put_provider("house", known, utc_now())
    well = command("check-provider", "house")
    # When its issuer stops answering
    provider.answer("/.well-known/openid-configuration", Answer(404))
    unwell = command("check-provider", "house")
    # Then each finding is printed, with its remedy where it is not well, and the status says which
    assert well.returncode == 0, well.stderr
    assert "ok   discovery: The issuer publishes its metadata.\n" in well.stdout
    assert "FAIL" not in well.stdout
    assert unwell.returncode == 1
    failed, remedy = unwell.stdout.splitlines()[:2]
    assert failed.startswith("FAIL ")
    assert remedy.startswith("     ")
    assert provider.client_secret not in well.stdout + unwell.stdout
    # And an unknown provider is named
    nobody = command("check-provider", "nobody")
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr.startswith(
        "No provider named nobody is configured: `python -m worker providers set "
    )


@pytest.mark.usefixtures("tables")
def test_check_rows_names_what_another_writer_changed_and_signs_it_on_request(
    command: Command,
) -> None:
    assert command("check-rows").stdout == "Every row is as this service wrote it.\n"
    # Given an app whose row was changed by hand
    with hold_connection():
        the_database.execute_sql("UPDATE apps SET name = 'by hand'")
    # When the operator looks
    found = command("check-rows")
    # Then the row is named, and counts again once it was accepted
    assert found.returncode == 1
    assert found.stdout.startswith("apps 'default': compare it with what you have set")
    assert command("check-rows", "--accept", "apps", "none").returncode == 1
    assert command("check-rows", "--accept", "apps", "default").returncode == 0
    assert command("check-rows").returncode == 0
    # And the command for apps changes their bounds, within those of the service
    changed = command("apps", "change", "default", "--maximum-rounds", "12")
    assert changed.returncode == 0, changed.stderr
    assert read_app_settings("default").get("maximum_rounds") == 12
    assert "to 16" in command("apps", "change", "default", "--maximum-rounds", "17").stderr
    # And every other setting of an app, each as over HTTP
    more = "--provider house --provider google --scope jobs --requests-per-minute 60 --allow-login"
    places = "--return-to-origin https://a.example --webhook-url https://hooks.example.com/cats"
    added = command("apps", "add", "bot", *more.split(), *places.split())
    assert added.returncode == 0, added.stderr
    assert read_app_settings("bot") == {
        "providers": ["house", "google"],
        "scopes": ["jobs"],
        "requests_per_minute": 60,
        "allow_login": True,
        "return_to_origins": ["https://a.example"],
        "webhook_url": "https://hooks.example.com/cats",
    }
    assert "return_to" in command("apps", "change", "bot", "--return-to-origin", "x/y").stderr


@pytest.mark.usefixtures("tables")
def test_the_logo_of_an_app_comes_from_a_file(command: Command, tmp_path: Path) -> None:
    assert command("apps", "add", "bot").returncode == 0
    logo = tmp_path / "logo.png"
    logo.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert command("apps", "change", "bot", "--logo", str(logo)).returncode == 0
    shown = json.loads(command("apps", "show", "bot", "--json").stdout)
    assert shown["logo"] == "data:image/png;base64,iVBORw0KGgo="
    assert "PNG" in command("apps", "change", "bot", "--logo", __file__).stderr
    assert "cannot be read" in command("apps", "change", "bot", "--logo", "nosuch").stderr


@pytest.mark.usefixtures("tables")
def test_the_queue_key_of_an_app_is_printed_and_revoked(command: Command) -> None:
    def print_key(app: str) -> AppKey:
        printed = command("queue-key", "--app", app)
        assert printed.returncode == 0, printed.stderr
        return AppKey.parse(printed.stdout.strip())

    # Given two apps, each with a key of its own
    for app in ("web-shop", "bot"):
        assert command("apps", "add", app).returncode == 0
    before, bot = print_key("web-shop"), print_key("bot")
    assert (before.app, before.generation) == ("web-shop", 1)
    # When the key of one is revoked
    revoked = command("apps", "revoke-queue-key", "web-shop")
    # Then it has another one, of the next generation, and the other app's stays
    assert revoked.returncode == 0, revoked.stderr
    assert "python -m worker keys queue --app web-shop" in revoked.stdout
    after = print_key("web-shop")
    assert (after.generation, after.key != before.key, print_key("bot")) == (2, True, bot)
    # And an app that there is not is named
    for wrong in (("queue-key", "--app", "nobody"), ("apps", "revoke-queue-key", "nobody")):
        ended = command(*wrong)
        assert (ended.returncode, ended.stdout) == (1, "")


def test_providers_search_lists_the_presets_of_a_name(command: Command) -> None:
    found = command("providers", "search", "notion")
    none = command("providers", "search", "no such provider")
    cut = command("providers", "search", "--limit", "2")
    assert found.returncode == 0, found.stderr
    assert "NOTION_CLIENT_ID and NOTION_CLIENT_SECRET" in found.stdout
    assert (none.returncode, "docs/providers.md" in none.stdout) == (1, True)
    assert "--limit above 2" in cut.stdout
