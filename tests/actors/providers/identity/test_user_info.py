"""Tests of user info: quirks of providers, merging with the id_token, unusable answers."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from actors.errors import IdTokenInvalid, TokenInvalid
from actors.providers.errors import ProviderMisbehaved, ProviderRefused, ProviderUnreachable
from actors.providers.identity.user_info import fetch_profile
from catfeeder.sealing import Secret
from tests.actors.providers.built import built, built_preset
from tests.provider.answers import json_answer
from tests.provider.script import IdTokenMaker
from tests.provider.signing import SigningKeys, signed_by_public_key, unsigned
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")


def token_of(provider: ScriptedProvider) -> Secret:
    """Return an access token that the provider knows."""
    grant = provider.grants.begin({"scope": "openid"})
    return Secret(provider.grants.add_tokens(grant, with_refresh_token=False)[0])


def test_the_token_is_sent_in_the_header_only(provider: ScriptedProvider) -> None:
    token = token_of(provider)

    fetch_profile(built(provider), token)

    (request,) = provider.requests
    assert request.headers["authorization"] == f"Bearer {token.reveal()}"
    assert token.reveal() not in str(request.query)


def test_facebook_receives_a_proof_of_the_secret(provider: ScriptedProvider) -> None:
    token, found = token_of(provider), built_preset(provider, "facebook")

    fetch_profile(found, token)

    secret = provider.client_secret.encode()
    proof = hmac.new(secret, token.reveal_bytes(), hashlib.sha256).hexdigest()
    query = provider.requests[0].query
    assert query == {"fields": "id,name,email,picture", "appsecret_proof": proof}


@pytest.mark.parametrize("status", [403, 404])
def test_a_github_app_without_permission_for_addresses_signs_in(
    status: int, provider: ScriptedProvider
) -> None:
    found = built_preset(provider, "github")
    provider.answer("/user/emails", json_answer({"message": "Not Found"}, status))

    profile = fetch_profile(found, token_of(provider))

    # The public address is unverified
    assert (profile["email"], profile["email_verified"]) == ("public@example.com", None)


@pytest.mark.parametrize(
    "entries",
    [
        [],
        {},
        [{"email": "jane@example.com", "primary": True, "verified": False}],
        [{"email": "jane@example.com", "primary": False, "verified": True}],
        [{"primary": True, "verified": True}],
    ],
)
def test_of_githubs_addresses_the_primary_and_verified_one_counts(
    entries: Any, provider: ScriptedProvider
) -> None:
    found = built_preset(provider, "github")
    provider.answer("/user/emails", json_answer(entries))

    profile = fetch_profile(found, token_of(provider))

    assert (profile["email"], profile["email_verified"]) == (None, None)


# -- Beside an id_token


def test_user_info_of_another_subject_is_refused(provider: ScriptedProvider) -> None:
    for subject in ("another", "", None, ["248289761001"]):
        with pytest.raises(IdTokenInvalid, match="another subject"):
            fetch_profile(built(provider), token_of(provider), {"sub": subject or "x"})


def test_user_info_without_a_subject_is_not_used(provider: ScriptedProvider) -> None:
    # Given user info that may be about another user (OpenID Connect Core section 5.3.2)
    provider.script.user_info = {"sub": None, "email": "ceo@example.com"}

    profile = fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})

    # Then nothing of it is in the profile
    assert (profile["email"], profile["source"]) == (None, "id_token")
    assert profile["raw"] == {"sub": "248289761001"}


# -- How it is asked for, and signed user info


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("set_method", ["GET", "POST"])
def test_user_info_is_asked_for_by_the_method_that_the_provider_takes(
    method: str, set_method: str, provider: ScriptedProvider
) -> None:
    provider.script.user_info_methods = (method,)
    found = built(provider, userinfo_method=set_method)

    profile = fetch_profile(found, token_of(provider))

    assert profile["source"] == "userinfo"
    # And the setting spares the request that is refused
    asked = [request.method for request in provider.requests_for("/userinfo")]
    assert asked == ([method] if set_method == method else [set_method, method])


@pytest.mark.parametrize("claims", [{}, {"iss": None}, {"aud": None}, {"aud": ["b", "{client}"]}])
def test_signed_user_info_is_verified(claims: dict[str, Any], provider: ScriptedProvider) -> None:
    if claims.get("aud"):
        claims = {"aud": ["b", provider.client_id]}
    provider.script.signed_user_info = claims

    profile = fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})

    assert (profile["email"], profile["source"]) == ("jane@example.com", "userinfo")
    # Without the claims about the token itself
    assert {"iss", "aud"}.isdisjoint(profile["raw"])


@pytest.mark.parametrize(
    ("claims", "make"),
    [
        ({"iss": "https://evil.example"}, SigningKeys.sign),
        ({"aud": "another-client"}, SigningKeys.sign),
        ({"aud": []}, SigningKeys.sign),
        ({}, lambda _keys, claims: unsigned(claims)),
        ({}, signed_by_public_key),
        ({}, lambda keys, claims: keys.sign(claims)[:-40] + "A" * 40),
        ({}, lambda keys, claims: keys.sign(claims, crit=["exp"])),
    ],
)
def test_signed_user_info_that_does_not_hold_is_not_used(
    claims: dict[str, Any], make: IdTokenMaker, provider: ScriptedProvider
) -> None:
    provider.script.signed_user_info, provider.script.make_user_info = claims, make

    # Then it is refused where it is all that there is
    with pytest.raises(ProviderMisbehaved, match="user info"):
        fetch_profile(built(provider), token_of(provider))
    # And beside an id_token nothing of it is in the profile
    profile = fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})
    assert (profile["email"], profile["source"]) == (None, "id_token")


def test_signed_user_info_of_another_subject_is_refused(provider: ScriptedProvider) -> None:
    provider.script.signed_user_info = {"sub": "another"}

    with pytest.raises(IdTokenInvalid, match="another subject"):
        fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})


def test_a_subject_may_be_a_number_in_either(provider: ScriptedProvider) -> None:
    provider.script.user_info = {"sub": 248289761001}

    profile = fetch_profile(built(provider), token_of(provider), {"sub": "248289761001"})

    assert profile["subject"] == "248289761001"


def test_the_id_token_completes_user_info(provider: ScriptedProvider) -> None:
    provider.script.user_info = {"name": None, "picture": None}
    claims = {
        "sub": "248289761001",
        "name": "Jane of the token",
        "exp": 5,
        "nonce": "n",
        "aud": "a",
    }

    profile = fetch_profile(built(provider), token_of(provider), claims)

    assert profile["name"] == "Jane of the token"
    # Without the claims about the token itself
    assert set(profile["raw"]) == {"sub", "name", "email", "email_verified"}


@pytest.mark.parametrize(
    "user_info",
    [{"email": "ceo@example.com", "email_verified": None}, {"email": None, "email_verified": True}],
)
def test_email_verified_counts_for_its_own_address_only(
    user_info: dict[str, Any], provider: ScriptedProvider
) -> None:
    # Given an id_token with a verified address, and user info with another or half of one
    provider.script.user_info = user_info
    claims = {"sub": "248289761001", "email": "jane@example.com", "email_verified": True}
    if user_info["email"] is None:
        claims["email_verified"] = False

    profile = fetch_profile(built(provider), token_of(provider), claims)

    # Then the merged address is neither verified nor unverified
    assert profile["email"] == user_info["email"]
    assert profile["email_verified"] is None


# -- Unusable tokens and answers


@pytest.mark.parametrize(
    "text", ["", "a\nb", "a\r\nX-Injected: yes", "caf\u00e9", "\u20ac", "\ud800"]
)
def test_an_invalid_access_token_is_never_sent(text: str, provider: ScriptedProvider) -> None:
    with pytest.raises(TokenInvalid):
        fetch_profile(built(provider), Secret(text))

    assert provider.requests == []


# -- Other shapes


def test_user_info_may_be_a_list_of_one(provider: ScriptedProvider) -> None:
    user = {"uid": "15410773191172635989", "first_name": "Jane", "last_name": "Doe"}
    provider.answer("/userinfo", json_answer([user]))
    names = {"name": "first_name + last_name"}

    for path in ("uid", "0.uid"):
        found = built(provider, profile={"subject": path, **names})
        profile = fetch_profile(found, token_of(provider))
        assert (profile["subject"], profile["name"]) == ("15410773191172635989", "Jane Doe")
        assert profile["raw"] == user


def test_of_several_users_the_first_is_meant_only_if_the_settings_say_so(
    provider: ScriptedProvider,
) -> None:
    provider.answer("/userinfo", json_answer([{"uid": "1"}, {"uid": "2"}]))

    with pytest.raises(ProviderMisbehaved):
        fetch_profile(built(provider, profile={"subject": "uid"}), token_of(provider))
    found = built(provider, profile={"subject": "0.uid"})
    assert fetch_profile(found, token_of(provider))["subject"] == "1"


def test_a_success_with_a_code_for_it_is_one(provider: ScriptedProvider) -> None:
    # TikTok's answer
    error = {"code": "ok", "message": "", "log_id": "20220829194722CBE87ED59D524E727021"}
    data = {"user": {"open_id": "723f24d7", "display_name": "Jane"}}
    provider.answer("/userinfo", json_answer({"data": data, "error": error}))
    paths = {"subject": "data.user.open_id", "name": "data.user.display_name"}

    profile = fetch_profile(built(provider, profile=paths), token_of(provider))

    assert (profile["subject"], profile["name"]) == ("723f24d7", "Jane")


JANE = "jane@example.com"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        # Bitbucket
        (
            {
                "values": [
                    {"email": "old@example.com", "is_primary": False, "is_confirmed": True},
                    {"email": JANE, "is_primary": True, "is_confirmed": True},
                ]
            },
            (JANE, True),
        ),
        ({"values": [{"email": JANE, "is_primary": True, "is_confirmed": False}]}, (None, None)),
        # Gitee
        (
            [
                {"email": "x@example.com", "state": "unconfirmed", "scope": ["notified"]},
                {"email": JANE, "state": "confirmed", "scope": ["primary", "notified"]},
            ],
            (JANE, True),
        ),
        # LinkedIn's former API
        ({"elements": [{"handle~": {"emailAddress": JANE}, "handle": "urn:li:1"}]}, (JANE, None)),
        # Google's People API
        (
            {"emailAddresses": [{"metadata": {"primary": True, "verified": True}, "value": JANE}]},
            (JANE, True),
        ),
        # Lichess, and others of one address
        ({"email": JANE}, (JANE, None)),
        ({"data": {"email": JANE, "verified": True}}, (JANE, True)),
        ([JANE], (JANE, None)),
        # Of several it is not known which one is meant
        (["a@example.com", JANE], (None, None)),
        ([{"email": "a@example.com"}, {"email": JANE, "verified": True}], (JANE, True)),
    ],
)
def test_addresses_at_a_url_of_their_own_come_in_many_shapes(
    answer: Any, found: tuple[str | None, bool | None], provider: ScriptedProvider
) -> None:
    # Wherever user info would have the address
    provider.answer("/user/emails", json_answer(answer))
    for path in ("email", "contact.email"):
        emails_endpoint = f"{provider.issuer}/user/emails"
        settings = built(provider, emails_endpoint=emails_endpoint, profile={"email": path})
        provider.script.user_info = {"email_verified": None, "email": "public@example.com"}

        profile = fetch_profile(settings, token_of(provider))

        assert (profile["email"], profile["email_verified"]) == found


def test_an_operator_says_where_an_address_stands(provider: ScriptedProvider) -> None:
    entry = {"smtp": JANE, "flags": {"main": True, "proven": True}}
    provider.answer("/user/emails", json_answer({"result": {"mails": [entry]}}))
    paths = {"list": "result.mails", "email": "smtp"}
    paths |= {"primary": "flags.main", "verified": "flags.proven"}
    found = built(provider, emails_endpoint=f"{provider.issuer}/user/emails", emails=paths)

    profile = fetch_profile(found, token_of(provider))

    assert (profile["email"], profile["email_verified"]) == (JANE, True)


@pytest.mark.parametrize(
    ("preset", "error", "is_permanent"),
    [
        # Slack answers with status 200 whatever happens.
        ("slack", "ratelimited", False),
        ("slack", "service_unavailable", False),
        ("slack", "invalid_auth", True),
        ("google", "temporarily_unavailable", False),
    ],
)
def test_an_error_in_an_answer_of_status_200_may_pass(
    preset: str, error: str, is_permanent: bool, provider: ScriptedProvider
) -> None:
    token, found = token_of(provider), built_preset(provider, preset)
    provider.answer("/userinfo", json_answer({"ok": False, "error": error}))

    with pytest.raises(ProviderRefused if is_permanent else ProviderUnreachable) as failed:
        fetch_profile(found, token)

    assert error in failed.value.detail
    assert failed.value.permanent is is_permanent
