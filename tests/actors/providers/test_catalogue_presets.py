"""Presets of the catalogue: credentials in the environment set one up, and each is read alone."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from actors.oauth.sign_in import begin_sign_in
from actors.providers.catalogue import presets as presets_module
from actors.providers.catalogue.presets import FOLDER, find_preset, preset_settings, read_all
from actors.providers.config.configured_presets import add_configured_presets
from actors.providers.config.lookup import find_provider
from actors.providers.config.settings import list_providers
from actors.providers.protocol.provider_builder import presets
from config import credential_variable
from tests.actors.sign_ins import now


@pytest.fixture
def environment(environment: dict[str, str]) -> dict[str, str]:
    """The environment of an operator with apps at four providers, and variables of others."""
    stems = ("NOTION", "GOOGLE_DRIVE", "42_SCHOOL", "AMAZON_COGNITO", "GITHUB", "NO_SUCH_ONE")
    credentials = {
        f"{stem}_{part}": "given" for stem in stems for part in ("CLIENT_ID", "CLIENT_SECRET")
    }
    return {**environment, **credentials, "_CLIENT_ID": "odd", "CLIENT_ID": "odd"}


@pytest.mark.usefixtures("tables")
def test_credentials_in_the_environment_set_a_preset_up() -> None:
    # When a process starts
    add_configured_presets(now())
    # Then there is a provider for each preset that has credentials, whatever its name is made of
    names = [one["name"] for one in list_providers()]
    assert names == ["42-school", "amazon_cognito", "github", "google-drive", "notion"]
    # And sign-ins begin
    url = begin_sign_in("notion", now=now()).authorization_url
    assert url.startswith("https://api.notion.com/v1/oauth/authorize?")
    assert find_provider("notion").client_id == "given"
    assert find_provider("notion").token_request_format == "json"


def test_a_preset_that_is_read_alone_is_as_in_its_file() -> None:
    # Given all files as they are parsed whole
    whole: dict[str, Any] = {}
    for path in FOLDER.glob("*.toml"):
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        assert {name[0] for name in entries} == {path.stem}
        whole |= entries
    # Then each preset is found, those made by hand first
    for name, entry in whole.items():
        settings = {setting: value for setting, value in entry.items() if setting != "about"}
        assert find_preset(name) == presets().get(name, settings)
        # And says what it rests on, and that nobody has tried it
        assert entry["about"]["stated_by"]
        assert entry["about"]["tried"] is False
    # And no other
    for name in ("", "no-such-one", "presets", "../presets", "Notion", "n", "notion.about"):
        assert find_preset(name) is None
        assert preset_settings(name) == {}


def test_a_process_reads_no_preset_that_it_does_not_use() -> None:
    # Given a process that has used none yet
    presets_module._read_file.cache_clear()
    # When a preset made by hand is used, and one of the catalogue, then its file alone is read
    for name, files in (("google", 0), ("notion", 1), ("netsuite", 1)):
        assert find_preset(name)
        assert presets_module._read_file.cache_info().currsize == files
    # And however many are used, it holds few
    assert len([name for name, _, _ in read_all() if find_preset(name)]) > 600
    assert presets_module._read_file.cache_info().currsize <= 4


def test_no_two_presets_have_a_variable_in_common() -> None:
    variables = [credential_variable(name, "CLIENT_ID") for name, _, _ in read_all()]
    assert len(variables) == len(set(variables))
