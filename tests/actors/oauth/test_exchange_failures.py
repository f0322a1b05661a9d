"""Exchanges that fail: nothing is stored by halves, and the code goes nowhere again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

import config
from actors.connections.reading import describe_connection
from actors.connections.token_reading import read_token
from actors.errors import AuthError, CodeInvalid, IdTokenInvalid
from actors.oauth.errors import StateUsed
from actors.oauth.exchange import CodeAnswer, exchange_code, finish_sign_in
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.settings import erase_provider, patch_provider
from actors.providers.errors import (
    ProviderMisbehaved,
    ProviderRefused,
    ProviderUnknown,
    ProviderUnreachable,
)
from actors.renewal.renew import renew_connection
from catfeeder.clock import rfc3339
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.sign_ins import TAB_VERIFICATION, StateStatus
from tests.actors.renewals import HOUR
from tests.actors.sign_ins import (
    NAME,
    codes_posted,
    come_back,
    configure,
    configure_plain,
    configure_preset,
    event_kinds,
    now,
    reread,
    sign_in,
    status_of,
    stored_connections,
)
from tests.ports import free_port
from tests.provider.answers import (
    Answer,
    form_answer,
    html_answer,
    json_answer,
    json_text,
    redirect_answer,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def assert_nothing_is_stored(provider: ScriptedProvider, back: dict[str, Any]) -> None:
    """Hold that a failure left nothing behind, and that its code goes nowhere again."""
    posted = codes_posted(provider)
    assert stored_connections() == []
    assert status_of(back["state"]) == StateStatus.FAILED
    with hold_connection():
        row = TAB_VERIFICATION.find(back["state"])
    assert row is not None
    assert (row.nonce, row.code_verifier) == (None, None)
    assert event_kinds()[-1] == "sign_in_refused"
    with pytest.raises(StateUsed):
        exchange_code(**back)
    assert codes_posted(provider) == posted


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/token", json_answer({"error": "invalid_grant"}, 400), ProviderRefused),
        ("/token", json_answer({"error": "bad_verification_code"}), ProviderRefused),
        ("/token", json_answer({"ok": False, "error": "invalid_code"}), ProviderRefused),
        ("/token", form_answer({"error": "incorrect_client_credentials"}), ProviderRefused),
        ("/token", Answer(401), ProviderRefused),
        ("/token", Answer(503), ProviderUnreachable),
        ("/token", Answer(429), ProviderUnreachable),
        ("/token", html_answer(), ProviderMisbehaved),
        ("/token", json_answer({}), ProviderMisbehaved),
        ("/token", json_answer({"access_token": "a", "token_type": "Bearer"}), IdTokenInvalid),
        ("/token", json_answer({"access_token": "a\nb"}), ProviderMisbehaved),
        ("/jwks", Answer(503), ProviderUnreachable),
        ("/jwks", json_answer({"keys": []}), ProviderMisbehaved),
        ("/userinfo", json_answer({"sub": "another"}), IdTokenInvalid),
    ],
)
def test_a_provider_that_fails_leaves_nothing_behind(
    path: str, answer: Answer, error: type[AuthError], provider: ScriptedProvider
) -> None:
    configure(provider)
    back = come_back(provider)
    provider.answer(path, answer)

    with pytest.raises(error):
        exchange_code(**back)

    assert_nothing_is_stored(provider, back)


def test_a_code_that_was_not_sent_can_be_redeemed_once_the_provider_is_back(
    provider: ScriptedProvider, environment: dict[str, str]
) -> None:
    # Given a provider whose token endpoint cannot be connected to
    configure(provider)
    back = come_back(provider)
    closed = f"127.0.0.1:{free_port()}"
    environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] += f",{closed}"
    config.current_settings.cache_clear()
    patch_provider(NAME, {"token_endpoint": f"http://{closed}/token"}, now())
    with pytest.raises(ProviderUnreachable) as failed:
        exchange_code(**back)
    assert failed.value.permanent is False

    # When it is back, and the app asks again
    patch_provider(NAME, {"token_endpoint": f"http://{provider.host}/token"}, now())

    # Then the code is redeemed, and posted once
    assert exchange_code(**back)["status"] == "active"
    assert codes_posted(provider) == 1
    with pytest.raises(StateUsed):
        exchange_code(**back)


def test_what_the_token_endpoint_says_of_a_code_is_told(provider: ScriptedProvider) -> None:
    # Given a provider that says what is wrong, and repeats the code
    configure(provider)
    back = come_back(provider)
    said = f"AADSTS7000222: The client secret of {back['code'].reveal()} has <b>expired</b>."
    answer = {"error": "invalid_client", "error_description": said}
    provider.answer("/token", json_answer(answer, 401))

    with pytest.raises(ProviderRefused) as refused:
        exchange_code(**back)

    # Then the job's sentence has it, cleaned, and so has the event
    told = refused.value.detail
    assert "AADSTS7000222: The client secret of … has bexpired/b." in told
    with hold_connection():
        event = TAB_EVENTS.select().order_by(TAB_EVENTS.id.desc()).first()
    assert "AADSTS7000222" in event.detail["message"]


#: User info that fails in every way that there is.
_NO_USER_INFO = [
    Answer(503),
    Answer(429),
    Answer(204),
    Answer(401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'}),
    Answer(403),
    Answer(404),
    json_answer({}),
    json_answer([]),
    json_answer({"id": "of-another-api"}),
    json_answer({"error": "insufficient_scope"}),
    json_answer({"sub": "", "email": "ceo@example.com"}),
    json_answer({"sub": ["248289761001"], "email": "ceo@example.com"}),
    json_text('{"sub": "248289761001", "x": NaN}'),
    html_answer(),
    Answer(200, b"not.a.token", {"Content-Type": "application/jwt"}),
    redirect_answer("https://elsewhere.example/"),
]


@pytest.mark.parametrize("answer", _NO_USER_INFO)
def test_tokens_are_not_lost_where_user_info_fails_beside_an_id_token(
    answer: Answer, provider: ScriptedProvider
) -> None:
    configure(provider)
    provider.script.claims = {"email": "jane@example.com", "email_verified": True}
    provider.answer("/userinfo", answer)

    row = sign_in(provider).connection

    # Then the id_token names the user, and the profile says that it did
    profile = describe_connection(row)["profile"]
    assert (profile["subject"], profile["email"]) == ("248289761001", "jane@example.com")
    assert profile["source"] == "id_token"
    # And the token works
    assert read_token(row.id, now()).is_usable


def test_tokens_are_not_lost_where_the_list_of_addresses_fails(provider: ScriptedProvider) -> None:
    # Given a provider without id_tokens, whose user info fails for a moment, and whose list of
    # addresses does for longer
    configure_preset(provider, "github")
    provider.answer("/userinfo", Answer(503), times=1)
    provider.answer("/user/emails", Answer(503))

    row = sign_in(provider).connection

    # Then the user is signed in, with the address that is public
    profile = describe_connection(row)["profile"]
    assert (profile["email"], profile["email_verified"]) == ("public@example.com", None)
    # And asked for it again the provider is heard, and the connection has the address then
    with pytest.raises(ProviderUnreachable):
        fetch_user_info(NAME, connection_id=row.id)
    provider.recover("/user/emails")
    asked = fetch_user_info(NAME, connection_id=row.id)
    assert (asked["email"], asked["email_verified"]) == ("jane@example.com", True)
    assert describe_connection(reread(row))["profile"] == asked


@pytest.mark.parametrize("lifetime", [5400, None])
def test_a_short_token_is_not_lost_where_its_exchange_fails(
    lifetime: int | None, provider: ScriptedProvider
) -> None:
    # Given a provider that cannot exchange a token for a longer-lived one at the moment
    configure_preset(provider, "facebook")
    provider.script.expires_in = lifetime
    provider.answer("/token", provider.paths["/token"], Answer(503))

    row = sign_in(provider).connection

    # Then the user is signed in with the token of hours, which its renewal exchanges in time
    assert row.expires_at == (None if lifetime is None else row.updated_at + HOUR * 1.5)
    assert row.renew_at < row.updated_at + HOUR
    provider.script.expires_in = 5183944
    provider.recover("/token")
    renewed = renew_connection(row.id)
    assert renewed["expires_at"] > rfc3339(row.updated_at + timedelta(days=50))


@pytest.mark.parametrize("answer", _NO_USER_INFO)
def test_without_an_id_token_nobody_is_signed_in_where_user_info_fails(
    answer: Answer, provider: ScriptedProvider
) -> None:
    configure_plain(provider)
    back = come_back(provider)
    provider.answer("/userinfo", answer)

    with pytest.raises((ProviderRefused, ProviderMisbehaved, ProviderUnreachable)):
        exchange_code(**back)

    assert_nothing_is_stored(provider, back)


def test_an_id_token_that_does_not_name_the_account_is_no_profile(
    provider: ScriptedProvider,
) -> None:
    # Given a provider whose accounts have another name than the id_token's sub
    configure(provider, profile={"subject": "employee"})
    back = come_back(provider)
    provider.answer("/userinfo", Answer(503))

    with pytest.raises(ProviderUnreachable):
        exchange_code(**back)

    assert_nothing_is_stored(provider, back)


def test_an_id_token_of_another_sign_in_is_refused(provider: ScriptedProvider) -> None:
    # Given a victim's code, injected into the attacker's own sign-in
    configure(provider)
    provider.script.requires_pkce = False
    provider.script.claims = {"nonce": "of-the-victim"}
    back = come_back(provider)

    with pytest.raises(IdTokenInvalid, match="nonce"):
        exchange_code(**back)

    assert_nothing_is_stored(provider, back)


def test_what_is_no_code_is_not_posted(provider: ScriptedProvider) -> None:
    configure(provider)
    for code in ("", "a\r\nb", "\ud800", "caf\u00e9"):
        with pytest.raises(CodeInvalid):
            exchange_code(**{**come_back(provider), "code": Secret(code)})

    assert codes_posted(provider) == 0
    assert stored_connections() == []


def test_facebooks_refusal_of_a_long_token_leaves_nothing_behind(
    provider: ScriptedProvider,
) -> None:
    configure_preset(provider, "facebook")
    back = come_back(provider)
    error = json_answer({"error": {"type": "OAuthException", "code": 190}}, 400)
    provider.answer("/token", provider.paths["/token"], error)

    with pytest.raises(ProviderRefused, match="190"):
        exchange_code(**back)

    assert stored_connections() == []
    assert status_of(back["state"]) == StateStatus.FAILED


# -- What the issuer publishes


@pytest.fixture
def later(provider: ScriptedProvider) -> datetime:
    """A time at which the metadata of the provider, which is configured now, is old."""
    configure(provider)
    at = now() + timedelta(hours=2)
    provider.script.claims = {"exp": int(at.timestamp()) + 300}
    return at


def test_metadata_that_is_old_is_fetched_anew(later: datetime, provider: ScriptedProvider) -> None:
    # Given a provider that moves its token endpoint during a sign-in
    back = come_back(provider, now=later)
    provider.script.metadata = {"token_endpoint": f"{provider.issuer}/token2"}
    provider.answer("/token2", provider.paths["/token"])

    finish_sign_in(CodeAnswer(**back), later)

    assert len(provider.requests_for("/token2")) == 1


@pytest.mark.parametrize(
    "answer",
    [Answer(503), Answer(404), html_answer(), json_answer({"issuer": "https://evil.example"})],
)
def test_metadata_that_is_old_serves_on_while_there_is_no_newer(
    answer: Answer, later: datetime, provider: ScriptedProvider
) -> None:
    provider.answer("/.well-known/openid-configuration", answer)

    assert sign_in(provider, now=later)


def test_metadata_that_leads_inside_is_not_followed(
    later: datetime, provider: ScriptedProvider
) -> None:
    provider.script.metadata = {"token_endpoint": "http://169.254.169.254/token"}

    # The endpoint that is known serves on
    assert sign_in(provider, now=later)


def test_a_provider_whose_settings_changed_meanwhile_is_asked_again(
    provider: ScriptedProvider,
) -> None:
    configure(provider)
    back = come_back(provider)
    patch_provider(NAME, {"client_secret": "client-secret-of-tests"}, now())

    assert exchange_code(**back)


def test_a_provider_that_was_erased_meanwhile_is_unknown(provider: ScriptedProvider) -> None:
    configure(provider)
    back = come_back(provider)
    erase_provider(NAME)

    with pytest.raises(ProviderUnknown):
        exchange_code(**back)
    assert codes_posted(provider) == 0
