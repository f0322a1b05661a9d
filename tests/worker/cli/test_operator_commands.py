"""The commands of an operator: keys are printed alone, and a provider's mistakes by name."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.api_keys import find_holder, list_api_keys
from actors.providers.config.settings import put_provider
from catfeeder.clock import utc_now
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider, running_scripted_provider
from tests.worker.service_directory import ServiceDirectory


@pytest.fixture
def directory(tmp_path: Path) -> ServiceDirectory:
    """A folder to type commands in."""
    (tmp_path / "here").mkdir()
    return ServiceDirectory(tmp_path / "here")


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider over real HTTP that behaves as its script says."""
    with running_scripted_provider() as started:
        yield started


@pytest.fixture
def environment(environment: dict[str, str], provider: ScriptedProvider) -> dict[str, str]:
    """What the shell has set; the provider, though on this machine, may be called."""
    return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": provider.host}


@pytest.mark.usefixtures("tables")
def test_make_key_prints_the_key_alone(
    directory: ServiceDirectory, environment: dict[str, str]
) -> None:
    # When a key is made
    asked = ("make-key", "web shop", "--scope", "jobs", "--scope", "connections:read")
    ended = directory.worker(*asked, "--days", "30", "--requests-per-minute", "7", **environment)
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
    # And what is said beside it tells who it is, but not the key
    assert re.fullmatch(
        f"Key {holder.key_id} serves jobs, connections:read, until [0-9TZ:.-]+[.]\n", ended.stderr
    )


@pytest.mark.usefixtures("tables")
def test_make_key_says_what_cannot_be(
    directory: ServiceDirectory, environment: dict[str, str]
) -> None:
    wrong = directory.worker("make-key", "shop", "--scope", "everything", **environment)
    endless = directory.worker("make-key", "shop", "--scope", "jobs", "--days", "9999")
    without = directory.worker("make-key", "shop", **environment)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("The API key cannot be made: scopes:")
    assert (endless.returncode, without.returncode) == (2, 2)
    assert "must be 1 to 3650" in endless.stderr
    assert "--scope" in without.stderr
    assert list_api_keys() == []


def test_commands_need_a_database_that_is_up_to_date(
    directory: ServiceDirectory, environment: dict[str, str]
) -> None:
    for command in (("make-key", "shop", "--scope", "jobs"), ("check-provider", "google")):
        ended = directory.worker(*command, **environment)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert "python -m worker migrate" in ended.stderr


def test_webhook_key_prints_what_receivers_take(directory: ServiceDirectory) -> None:
    first = directory.worker("webhook-key", SECRET_KEY="one " * 16)
    other = directory.worker("webhook-key", SECRET_KEY="two " * 16)
    none = directory.worker("webhook-key")
    prefix, _, text = first.stdout.strip().partition("_")
    assert prefix == "whsec"
    assert len(base64.b64decode(text, validate=True)) == 32
    assert first.stdout != other.stdout
    assert none.returncode == 1
    assert "SECRET_KEY is not set" in none.stderr


@pytest.mark.usefixtures("tables")
def test_check_provider_tells_each_finding(
    directory: ServiceDirectory, environment: dict[str, str], provider: ScriptedProvider
) -> None:
    # Given a provider that is well
    known = {"issuer": provider.issuer, **provider.credentials()}
    put_provider("house", known, utc_now())
    well = directory.worker("check-provider", "house", **environment)
    # When its issuer stops answering
    provider.answer("/.well-known/openid-configuration", Answer(404))
    unwell = directory.worker("check-provider", "house", **environment)
    # Then each finding is told, by its remedy where it is not well, and the status says which
    assert well.returncode == 0, well.stderr
    assert "ok   discovery: The issuer publishes its metadata.\n" in well.stdout
    assert "FAIL" not in well.stdout
    assert unwell.returncode == 1
    failed, remedy = unwell.stdout.splitlines()[:2]
    assert failed.startswith("FAIL ")
    assert remedy.startswith("     ")
    assert provider.client_secret not in well.stdout + unwell.stdout
    # And of no provider it is said that there is none
    nobody = directory.worker("check-provider", "nobody", **environment)
    assert (nobody.returncode, nobody.stdout) == (1, "")
    assert nobody.stderr == "No provider named nobody is configured.\n"
