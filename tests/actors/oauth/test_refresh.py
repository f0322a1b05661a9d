"""Refresh tokens that an app keeps itself: used, and not stored."""

from __future__ import annotations

import pytest

from actors.oauth.refresh import refresh_token
from catfeeder.sealing import Secret
from tests.actors.renewals import tokens_of
from tests.actors.sign_ins import NAME, configure, sign_in
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def test_a_refresh_token_yields_the_token_response_of_the_standard(
    provider: ScriptedProvider,
) -> None:
    provider.script.rotation = "single_use"
    configure(provider)
    _, token = tokens_of(sign_in(provider).connection)
    assert token is not None

    answer = refresh_token(NAME, token)

    assert set(answer) == {
        *("access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token")
    }
    assert answer["access_token"].startswith("access-2-")
    assert answer["refresh_token"].startswith("refresh-2-")
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)


def test_what_is_not_sent_is_left_out_and_the_refresh_token_stays(
    provider: ScriptedProvider,
) -> None:
    configure(provider)
    provider.answer("/token", json_answer({"access_token": "a"}))

    assert refresh_token(NAME, Secret("kept")) == {
        "access_token": "a",
        "token_type": "Bearer",
        "refresh_token": "kept",
    }
