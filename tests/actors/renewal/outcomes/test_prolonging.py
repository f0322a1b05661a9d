"""Renewals that prolong the token in hand: an answer says so, and brings none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors.renewal.renew import renew_connection
from catfeeder.errors import CatFeederError
from tests.actors.renewals import HOUR, renew_all, tokens_of
from tests.actors.sign_ins import configure_plain, now, reread, sign_in
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def test_a_renewal_may_prolong_the_token_in_hand(provider: ScriptedProvider) -> None:
    # Given a provider whose renewals answer no token
    configure_plain(
        provider,
        refresh_endpoint=f"{provider.issuer}/prolong",
        prolonging_answer={"result.code": "0"},
    )
    row = sign_in(provider).connection
    before = tokens_of(row)
    provider.answer("/prolong", json_answer({"result": {"code": 0, "text": "OK"}}))
    # When one says that the token lives on
    at = now() + HOUR
    assert renew_all(at) == [None]
    # Then the same tokens serve, for as long as the sign-in has said
    found = reread(row)
    assert tokens_of(found) == before
    assert found.version == row.version + 1
    assert found.expires_at - at == timedelta(hours=1)
    # And any other answer renews nothing, so that a dead grant is not taken for a living one
    for other in ({"result": {"code": 5}}, {}, {"error": "invalid_request", "result": {"code": 0}}):
        provider.answer("/prolong", json_answer(other))
        with pytest.raises(CatFeederError):
            renew_connection(row.id)
    assert reread(row).version == found.version
