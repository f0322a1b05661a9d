"""The Python client with the real application: a sign-in from its URL to a token that is stored."""

from __future__ import annotations

import pytest

import catfeeder
from catfeeder.errors import RequestRefused
from config import Settings
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import HOUSE


@pytest.mark.config(OAuth={"return_to_origins": ["https://app.example.com"]})
def test_a_user_is_signed_in_and_the_token_read(
    url: str, house: OidcProvider, settings: Settings, queue_key: str
) -> None:
    redis_url = settings.required_redis_url()
    with catfeeder.connect(redis_url, queue_key, api_url=url, api_key=ADMIN_API_KEY) as client:
        # Given a sign-in that the app has begun
        begun = client.authorize(
            HOUSE, subject="user-1", return_to="https://app.example.com/in", relay=True
        )
        answer = house.consent(begun.authorization_url, "alice")
        assert answer["state"] == begun.state
        # When it redeems the code
        exchanged = client.exchange_code(HOUSE, answer["code"], answer["state"])
        connection = exchanged.result(timeout=30)
        # Then the connection is the user's
        assert (connection["subject"], connection["profile"]["subject"]) == ("user-1", "alice")
        # And its token serves, before and after a renewal
        first = client.access_token(connection["id"])
        renewed = client.renew(connection["id"]).result(timeout=30)
        assert renewed["status"] == "active"
        profile = client.user_info(HOUSE, connection_id=connection["id"]).result(timeout=30)
        assert profile["subject"] == "alice"
        assert client.access_token(connection["id"]).access_token != first.access_token
        # And what is refused says why
        with pytest.raises(RequestRefused) as refused:
            client.authorize("nobody")
        assert (refused.value.status, refused.value.code) == (404, "provider_unknown")
