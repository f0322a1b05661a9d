"""Code exchange: a code becomes a connection once, or nothing at all."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from actors.errors import OutcomeUnknown
from actors.oauth.errors import IssuerMismatch, StateExpired, StateUnknown, StateUsed
from actors.oauth.exchange import CodeAnswer, exchange_code, finish_sign_in
from actors.providers.config.settings import put_provider
from actors.providers.protocol.token_endpoint import redeem_code
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from tests.actors.sign_ins import (
    NAME,
    codes_posted,
    come_back,
    configure,
    configure_plain,
    configure_preset,
    event_kinds,
    now,
    sign_in,
    status_of,
    stored_connections,
)
from tests.provider.presets import TENANT
from tests.scripted_provider import ScriptedProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("tables")


@pytest.mark.usefixtures("database")
def test_a_code_becomes_a_connection(provider: ScriptedProvider) -> None:
    # Given a user who comes back from the provider
    configure(provider)
    back = come_back(provider, subject="user-42")

    # When the code is exchanged
    before = now()
    described = exchange_code(**back)
    after = now()

    # Then the connection names the user, and nothing of the tokens
    assert described["provider"] == NAME
    assert described["subject"] == "user-42"
    assert described["status"] == "active"
    assert described["scope"] == "openid profile email"
    assert described["profile"]["subject"] == "248289761001"
    assert described["profile"]["email_verified"] is True
    # And the tokens are stored, sealed
    (row,) = stored_connections()
    assert (described["id"], described["profile"]) == (row.id, row.profile)
    access_token = TAB_CONNECTIONS.access_token.open(row)
    refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
    assert access_token is not None
    assert refresh_token is not None
    for token in (access_token, refresh_token):
        assert provider.grants.end(token.reveal())
        assert token.reveal() not in str(described)
        assert token.reveal_bytes() not in bytes(row.access_token) + bytes(row.refresh_token)
    assert before + timedelta(hours=1) <= row.expires_at <= after + timedelta(hours=1)
    assert row.renew_at < row.expires_at
    # And state, nonce and verifier are of no more use
    with hold_connection():
        pending = TAB_VERIFICATION.find(back["state"])
    assert pending is not None
    assert (pending.status, pending.nonce, pending.code_verifier) == ("done", None, None)
    assert event_kinds() == ["provider_changed", "authorized", "exchanged"]


def test_the_granted_scope_is_stored_and_not_the_requested_one(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.granted_scope = "openid"
    assert sign_in(provider).connection.scope == "openid"

    # And an answer without a scope grants all
    provider.script.tells_scope = False
    assert sign_in(provider).connection.scope == "openid profile email"


def test_a_lifetime_that_is_not_sent_is_the_configured_one(provider: ScriptedProvider) -> None:
    configure(provider, default_lifetime_seconds=100)
    provider.script.expires_in = None
    at = now()

    assert sign_in(provider, now=at).connection.expires_at == at + timedelta(seconds=100)


@pytest.mark.usefixtures("database")
def test_the_same_account_updates_its_connection(provider: ScriptedProvider) -> None:
    configure(provider)
    first = sign_in(provider, subject="user-42").connection
    provider.script.user = {**provider.script.user, "name": "Jane Roe"}

    second = sign_in(provider, subject="user-42").connection

    assert second.id == first.id
    assert second.profile["name"] == "Jane Roe"
    # And for another of the app's users it is another connection
    assert sign_in(provider, subject="user-43").connection.id != first.id
    assert len(stored_connections()) == 2


def test_another_account_with_the_same_address_is_another_connection(
    provider: ScriptedProvider,
) -> None:
    # Given a user, and a second account at the provider that claims the same address
    configure(provider)
    first = sign_in(provider, subject="user-42").connection
    provider.script.user = {**provider.script.user, "id": "666"}

    # Then nothing is merged by the address
    assert sign_in(provider).connection.id != first.id
    assert sign_in(provider, subject="user-42").connection.id != first.id


# -- States that give no right


@pytest.mark.usefixtures("database")
def test_a_forged_state_is_refused(provider: ScriptedProvider) -> None:
    configure(provider)
    back = come_back(provider)

    for state in ("", "forged", f"forged:{NAME}", back["state"].reveal()[1:], "\0", "\ud800"):
        with pytest.raises(StateUnknown):
            exchange_code(**{**back, "state": Secret(state)})

    assert codes_posted(provider) == 0
    assert stored_connections() == []
    assert event_kinds()[-1] == "sign_in_refused"
    # And the true one still serves
    assert exchange_code(**back)


@pytest.mark.usefixtures("database")
def test_a_state_of_another_provider_is_refused(provider: ScriptedProvider) -> None:
    # Given two providers, and an answer of the one
    configure(provider)
    put_provider("other", {**provider.addresses(), **provider.credentials()}, now())
    back = come_back(provider)

    # When it is brought as the other's, or as that of none
    for name in ("other", "unknown", "", "a\0b", "\ud800"):
        with pytest.raises(StateUnknown):
            exchange_code(**{**back, "provider": name})

    # Then the code goes nowhere
    assert codes_posted(provider) == 0
    assert status_of(back["state"]) == StateStatus.PENDING


def test_a_state_expires_after_ten_minutes(provider: ScriptedProvider) -> None:
    configure_plain(provider)
    began = now()
    back = come_back(provider, now=began)

    with pytest.raises(StateExpired):
        finish_sign_in(CodeAnswer(**back), began + timedelta(minutes=10))
    assert codes_posted(provider) == 0

    assert finish_sign_in(CodeAnswer(**back), began + timedelta(minutes=10, milliseconds=-1))


@pytest.mark.usefixtures("database")
def test_of_exchanges_at_once_one_posts_the_code(provider: ScriptedProvider) -> None:
    # Given the same answer delivered to four workers at once
    configure(provider)
    back = come_back(provider)
    gate = provider.hold("/token")
    outcomes: list[object] = []

    def deliver() -> None:
        try:
            outcomes.append(exchange_code(**back)["provider"])
        except CatFeederError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=deliver) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.await_arrival()
    wait_until(lambda: len(outcomes) == 3)
    gate.open()
    for thread in threads:
        thread.join()

    # Then one has posted it, once
    assert codes_posted(provider) == 1
    assert provider.grants.code_replays == 0
    assert outcomes[3:] == [NAME]
    assert set(outcomes[:3]) <= {StateUsed, OutcomeUnknown}


@pytest.mark.usefixtures("database")
def test_a_code_is_not_posted_again_after_a_crash(provider: ScriptedProvider) -> None:
    # Given a worker that dies when the provider has the code
    configure(provider)
    back = come_back(provider)

    def die(*arguments: Any, **options: Any) -> None:
        redeem_code(*arguments, **options)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.oauth.redemption.redeem_code", die)
        with pytest.raises(KeyboardInterrupt):
            exchange_code(**back)
    assert codes_posted(provider) == 1

    # When the message is delivered again
    with pytest.raises(OutcomeUnknown):
        exchange_code(**back)

    # Then the code was posted once, and nothing is stored
    assert codes_posted(provider) == 1
    assert stored_connections() == []
    assert status_of(back["state"]) == StateStatus.EXCHANGING


# -- Mix-up (RFC 9207)


@pytest.mark.parametrize("sends_iss", [True, False])
def test_an_answer_of_another_issuer_is_refused(
    sends_iss: bool, provider: ScriptedProvider
) -> None:
    provider.script.sends_iss = sends_iss
    configure(provider)
    back = come_back(provider)

    for issuer in ("https://evil.example", f"{provider.issuer}/", "", "\0"):
        # An operator can compare the two, as far as the other one is an issuer at all
        named = issuer if issuer.startswith("http") else "(not a URL)"
        sentence = f"names the issuer {named}, and the provider's is {provider.issuer} "
        with pytest.raises(IssuerMismatch, match=re.escape(sentence)):
            exchange_code(**{**back, "iss": issuer})
        with hold_connection():
            event = TAB_EVENTS.select().order_by(TAB_EVENTS.id.desc()).get()
        assert sentence in event.detail["message"]

    # And the true answer still serves
    assert codes_posted(provider) == 0
    assert exchange_code(**back)


def test_a_provider_without_a_known_issuer_may_name_one(provider: ScriptedProvider) -> None:
    configure_plain(provider)

    assert exchange_code(**{**come_back(provider), "iss": "https://github.com/login/oauth"})


def test_a_tenant_may_be_named_as_the_issuer(provider: ScriptedProvider) -> None:
    configure_preset(provider, "microsoft")
    back = come_back(provider)

    with pytest.raises(IssuerMismatch):
        exchange_code(**{**back, "iss": "https://evil.example/v2.0"})
    assert exchange_code(**{**back, "iss": f"{provider.issuer}/{TENANT}/v2.0"})
