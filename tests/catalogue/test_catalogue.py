"""Tests of every preset of the catalogue, against a provider that demands what is stated for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actors.providers.catalogue.presets import FOLDER, preset_settings, read_all
from tests.catalogue.demands import read_demands
from tests.catalogue.harness import Harness, Outcome, find_unknown, running_harness
from tests.catalogue.presets_text import HEAD, join_presets, split_presets

#: What came of each preset, for `make catalogue`.
OUTCOMES: dict[str, Outcome] = {}

#: Those of presets.toml go their own ways, and are tried one by one in test_presets.
BY_HAND = {"google", "facebook", "github", "microsoft", "linkedin", "x", "discord", "spotify"}
BY_HAND |= {"gitlab", "slack", "slack_app", "apple"}
_NAMES = [name for name, _, _ in read_all() if name in read_demands() and name not in BY_HAND]


@pytest.fixture
def harness() -> Iterator[Harness]:
    """All providers of the facts, in one process."""
    with running_harness() as started:
        yield started


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("first", sorted({name[0] for name in _NAMES}))
def test_each_preset_does_what_the_catalogues_state(first: str, harness: Harness) -> None:
    # Given the presets of a file, when a user of each signs in and the token is renewed
    for name in _NAMES:
        if name[0] == first:
            OUTCOMES[name] = harness.try_preset(name)
    # Then each provider has got what it demands
    outcomes = [one for name, one in OUTCOMES.items() if name[0] == first]
    assert {one.name: one.failure for one in outcomes if one.failure} == {}


#: A preset, and what is made wrong of it; None takes a setting away.
_WRONG: list[tuple[str, dict[str, Any]]] = [
    ("asana", {"authorization_endpoint": "https://app.asana.com/elsewhere"}),
    ("asana", {"token_endpoint": "https://app.asana.com/elsewhere"}),
    ("asana", {"userinfo_endpoint": "https://app.asana.com/elsewhere"}),
    ("reddit", {"token_endpoint_auth_method": "client_secret_post"}),
    ("asana", {"token_endpoint_auth_method": "client_secret_basic"}),
    ("coinbase", {"scope_separator": "|"}),
    ("coinbase", {"scopes": ["wallet:user:read"]}),
    ("reddit", {"authorization_parameters": None}),
    ("zoom", {"code_challenge_method": "none"}),
    ("zoom", {"profile": {"subject": "nothing"}}),
    ("basecamp", {"token_parameters": None}),
    ("basecamp", {"refresh_parameters": None}),
    ("basecamp", {"profile": {"subject": "identity.id", "email": "identity.mail"}}),
    ("figma", {"refresh_endpoint": None}),
    ("tiktok-ads", {"token_parameter_names": None}),
    ("tiktok", {"parameter_names": None}),
    ("azure-devops", {"response_type": None}),
    ("notion", {"token_request_format": None}),
    ("notion", {"userinfo_headers": None}),
    ("notion", {"metadata": ["workspace"]}),
    ("yandex", {"userinfo_token_scheme": None}),
    ("baidu", {"userinfo_token_location": None}),
    ("dropbox", {"userinfo_method": None}),
    ("linear", {"userinfo_body": {"query": "query { viewer { id } }"}}),
    ("threads", {"long_lived_token": None}),
    ("yammer", {"token_response_paths": None}),
    ("zendesk", {"variables": None}),
    ("coros", {"prolonging_answer": {"message": "DONE"}}),
    ("dwolla", {"userinfo_headers": None}),
    ("etsy", {"userinfo_endpoint": "https://openapi.etsy.com/v3/application/users/{client_id}"}),
    ("snapchat", {"userinfo_body": {"query": "{me{id}}"}}),
]


@pytest.mark.usefixtures("tables")
def test_a_preset_that_is_wrong_in_one_setting_fails(harness: Harness) -> None:
    # Given presets that pass, each made wrong in one setting
    passed = []
    for name, change in _WRONG:
        right = preset_settings(name)
        wrong = {key: it for key, it in {**right, **change}.items() if it is not None}
        # When it is run
        if harness.try_preset(name, wrong).failure is None:
            passed.append((name, *change))
    # Then the provider says so
    assert passed == []
    # And each passes as it is
    assert all(harness.try_preset(name).has_passed for name, _ in _WRONG)


def test_presets_hold_nothing_but_settings() -> None:
    assert {name: find_unknown(it) for name, it, _ in read_all() if find_unknown(it)} == {}


def test_the_generator_leaves_presets_as_people_have_edited_them() -> None:
    # Given the files with a comment and a setting that the facts do not have
    for path in sorted(FOLDER.glob("*.toml")):
        text = path.read_text(encoding="utf-8")
        edited = text.replace("]\n", ']\nscopes = ["edited"]\n', 1).replace("[", "# Why.\n[", 1)
        # When they are taken apart and written again
        for one in (text, edited):
            assert join_presets(split_presets(one.removeprefix(HEAD))) == one
