"""Tests of each preset from sign-in to revocation, against a provider that behaves like it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from actors.connections.errors import ReauthorizationRequired
from actors.connections.reading import describe_connection, list_connections
from actors.connections.revocation import revoke_connection
from actors.connections.token_reading import read_token
from actors.oauth.exchange import exchange_code
from actors.oauth.sign_in import begin_sign_in
from actors.providers.config.discovery import discover
from actors.providers.config.settings import describe_provider, patch_provider
from actors.providers.errors import (
    ProviderInvalid,
    ProviderMisbehaved,
    ProviderNotConfigured,
    ProviderRefused,
    ProviderUnreachable,
)
from actors.providers.protocol.provider_builder import presets
from actors.renewal.renew import RenewalTooSoon, renew_connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.actors.renewals import refreshes, renew_all, tokens_of
from tests.actors.sign_ins import (
    NAME,
    come_back,
    configure,
    configure_plain,
    configure_preset,
    now,
    reread,
    sign_in,
    stored_connections,
)
from tests.provider.answers import Answer, json_answer
from tests.provider.clients import KEY_ID, certified_key, client_key_pem
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

USER = "248289761001"
#: What each preset makes of the same user: subject, address, whether it is verified, and name.
PROFILES: dict[str, tuple[str, str | None, bool | None, str | None]] = {
    "google": (USER, "jane@example.com", True, "Jane Doe"),
    "facebook": (USER, "jane@example.com", False, "Jane Doe"),
    "github": (USER, "jane@example.com", True, "Jane Doe"),
    "microsoft": (USER, "jane@example.com", False, "Jane Doe"),
    "linkedin": (USER, "jane@example.com", True, "Jane Doe"),
    "x": (USER, "jane@example.com", True, "Jane Doe"),
    "discord": (USER, "jane@example.com", True, "Jane Doe"),
    "spotify": (USER, "jane@example.com", False, "Jane Doe"),
    "gitlab": (USER, "jane@example.com", True, "Jane Doe"),
    "slack": (f"T0R7GR:{USER}", "jane@example.com", True, "Jane Doe"),
    "slack_app": ("T0R7GR:B1", None, None, None),
    "apple": (USER, "relay@privaterelay.appleid.com", True, "Jane Doe"),
}
#: The presets whose token is renewed by a refresh token, and when it is due at the latest.
RENEWED = {
    "google": timedelta(hours=1),
    "microsoft": timedelta(hours=1),
    "x": timedelta(hours=2),
    "discord": timedelta(days=7),
    "spotify": timedelta(hours=1),
    "gitlab": timedelta(hours=2),
    "apple": timedelta(days=1),
}
WITHOUT_PKCE = ("linkedin", "slack", "slack_app", "discord")
WITH_NONCE = ("google", "microsoft", "gitlab", "slack", "apple")
SINGLE_USE = ("x", "discord", "gitlab")


def begin_and_parse() -> dict[str, str]:
    """Return the parameters of a new authorization URL."""
    query = urlsplit(begin_sign_in(NAME, now=now()).authorization_url).query
    return {name: values[0] for name, values in parse_qs(query).items()}


def test_every_preset_is_tried() -> None:
    assert set(PROFILES) == set(presets())


@pytest.mark.parametrize("preset", PROFILES)
def test_a_user_signs_in_with_each_preset(preset: str, provider: ScriptedProvider) -> None:
    # Given a provider that checks what the preset's provider checks
    configure_preset(provider, preset)
    # When a user comes back from it
    described = exchange_code(**come_back(provider, subject="user-42"))
    # Then the profile has the same shape for every preset
    profile = described["profile"]
    parts = (profile["subject"], profile["email"], profile["email_verified"], profile["name"])
    assert parts == PROFILES[preset]
    assert described["missing_scopes"] == []
    assert described["status"] == "active"


@pytest.mark.parametrize("preset", RENEWED)
def test_each_presets_token_is_renewed(preset: str, provider: ScriptedProvider) -> None:
    # Given a user who is signed in
    configure_preset(provider, preset)
    at = now()
    row = sign_in(provider, now=at).connection
    first, refresh_token = tokens_of(row)
    assert refresh_token is not None
    # When the token falls due
    due = at + RENEWED[preset]
    assert row.renew_at is not None
    assert row.renew_at <= due
    assert renew_all(due) == [None]
    # Then there is a new one, and the next renewal uses the refresh token that the provider expects
    second, next_one = tokens_of(row)
    assert second != first
    assert (next_one != refresh_token) == (preset in ("microsoft", *SINGLE_USE))
    assert renew_all(due + RENEWED[preset]) == [None]
    assert refreshes(provider)[0] == refresh_token.reveal()
    assert provider.grants.refresh_token_reuses == 0


@pytest.mark.parametrize("preset", ["github", "linkedin", "slack"])
def test_an_optional_refresh_token_is_used(preset: str, provider: ScriptedProvider) -> None:
    # Given an app that the provider gives expiring tokens and a refresh token, each used once
    configure_preset(provider, preset)
    provider.script.gives_refresh_token = True
    provider.script.rotation = "single_use"
    provider.script.expires_in = 43200
    at = now()
    row = sign_in(provider, now=at).connection
    # Then it is renewed, again and again
    for hours in (12, 24):
        assert renew_all(at + timedelta(hours=hours)) == [None]
    assert provider.grants.refresh_token_reuses == 0
    assert reread(row).status == "active"


def test_without_a_refresh_token_a_connection_ends_with_its_token(
    provider: ScriptedProvider,
) -> None:
    # Given an app that is no partner of LinkedIn's
    configure_preset(provider, "linkedin")
    at = now()
    row = sign_in(provider, now=at).connection
    # When the token falls due, a day before its end
    renew_all(at + timedelta(days=59))
    # Then it is valid to the end
    assert reread(row).status == "active"
    assert read_token(row.id, at + timedelta(days=59)).is_usable
    # And then ends, with nothing wrong
    renew_all(at + timedelta(days=61))
    assert (reread(row).status, reread(row).reason) == ("ended", None)


@pytest.mark.parametrize("preset", PROFILES)
def test_an_address_is_verified_only_if_the_provider_says_so(
    preset: str, provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)
    provider.script.user = {**provider.script.user, "email_verified": False}
    if preset == "apple":
        provider.script.claims = {**provider.script.claims, "email_verified": "false"}

    profile = sign_in(provider).connection.profile
    # GitHub and X show verified addresses only
    email = None if preset in ("github", "x") else PROFILES[preset][1]
    assert (profile["email"], profile["email_verified"]) == (email, email and False)


@pytest.mark.parametrize(
    "preset",
    ["google", "facebook", "github", "x", "discord", "gitlab", "slack", "slack_app", "apple"],
)
def test_each_presets_grant_is_ended(preset: str, provider: ScriptedProvider) -> None:
    # Given a user who is signed in
    configure_preset(provider, preset)
    row = sign_in(provider).connection
    token, _ = tokens_of(row)
    assert token is not None
    # When they disconnect
    assert revoke_connection(row.id)["revoked_at_provider"] is True
    # Then the provider has ended the grant
    assert not any(grant.is_alive for grant in provider.grants._grants)
    # And no token stood in a URL
    assert all(token.reveal() not in str(request.query) for request in provider.requests)


@pytest.mark.parametrize(
    ("preset", "path", "answer"),
    [
        ("github", "/applications/client-of-tests/grant", Answer(422)),
        ("github", "/applications/client-of-tests/grant", Answer(401)),
        ("facebook", "/me/permissions", json_answer({"error": {"code": 190}}, 400)),
        ("slack", "/auth.revoke", json_answer({"ok": False, "error": "not_allowed"})),
        ("slack", "/auth.revoke", Answer(404)),
        # Without a revocation endpoint
        *((preset, "/revoke", Answer(200)) for preset in ("microsoft", "linkedin", "spotify")),
    ],
)
def test_a_failed_revocation_is_reported(
    preset: str, path: str, answer: Answer, provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)
    row = sign_in(provider).connection
    provider.answer(path, answer)

    assert revoke_connection(row.id)["revoked_at_provider"] is False


def test_a_grant_that_has_ended_already_counts_as_revoked(provider: ScriptedProvider) -> None:
    for preset in ("github", "slack"):
        configure_preset(provider, preset)
        row = sign_in(provider).connection
        provider.grants.end_all()

        assert revoke_connection(row.id)["revoked_at_provider"] is True


def x_refusal(description: str) -> dict[str, str]:
    return {"error": "invalid_request", "error_description": description}


@pytest.mark.parametrize(
    ("preset", "status", "answer"),
    [
        ("slack", 200, {"ok": False, "error": "invalid_refresh_token"}),
        ("github", 200, {"error": "bad_refresh_token"}),
        ("x", 400, x_refusal("Value passed for the token was invalid.")),
        ("microsoft", 400, {"error": "invalid_grant", "error_codes": [700082]}),
        ("facebook", 400, {"error": {"type": "OAuthException", "code": 190}}),
    ],
)
def test_a_dead_grant_is_recognised_by_each_providers_errors(
    preset: str, status: int, answer: dict[str, Any], provider: ScriptedProvider
) -> None:
    row = sign_in_before_refusal(provider, preset, json_answer(answer, status))

    with pytest.raises(ReauthorizationRequired):
        renew_connection(row.id)
    assert reread(row).status == "reauthorization_required"


@pytest.mark.parametrize(
    ("preset", "status", "answer"),
    [
        ("slack", 200, {"ok": False, "error": "ratelimited"}),
        ("slack", 200, {"ok": False}),
        ("x", 400, x_refusal("A parameter is missing.")),
        ("x", 401, {"error": "unauthorized_client"}),
        ("google", 401, {"error": "invalid_client"}),
        ("microsoft", 401, {"error": "invalid_client", "error_codes": [7000222]}),
    ],
)
def test_a_temporary_refusal_keeps_the_connection(
    preset: str, status: int, answer: dict[str, Any], provider: ScriptedProvider
) -> None:
    row = sign_in_before_refusal(provider, preset, json_answer(answer, status))

    assert renew_all(now() + timedelta(days=1)) != [None]
    assert reread(row).status in ("active", "renewal_failing")


def sign_in_before_refusal(
    provider: ScriptedProvider, preset: str, answer: Answer
) -> TAB_CONNECTIONS:
    """Sign a user in, whose renewals are then answered so."""
    configure_preset(provider, preset)
    provider.script.gives_refresh_token = True
    row = sign_in(provider).connection
    provider.answer("/token", answer)
    return row


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("google", {"access_type": "offline", "prompt": "consent"}),
        ("apple", {"response_mode": "form_post", "scope": "name email"}),
    ],
)
def test_a_sign_in_adds_the_presets_parameters(
    preset: str, parameters: dict[str, str], provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)

    assert parameters.items() <= begin_and_parse().items()


# -- Google


def test_googles_long_scope_names_match_the_short_ones(provider: ScriptedProvider) -> None:
    # Given that Google answers with long scope names
    configure_preset(provider, "google")
    scope = "openid https://www.googleapis.com/auth/userinfo.email"
    provider.script.granted_scope = scope
    # Then only a scope that was not granted is missing
    connection = describe_connection(sign_in(provider).connection)
    assert (connection["scope"], connection["missing_scopes"]) == (scope, ["profile"])


# -- Facebook


def test_facebooks_token_is_exchanged_in_good_time(provider: ScriptedProvider) -> None:
    configure_preset(provider, "facebook")
    at = now()
    row = sign_in(provider, now=at).connection

    # With a month to spare, since one that has ended cannot be exchanged any more
    assert row.renew_at is not None
    assert timedelta(days=26) < row.renew_at - at < timedelta(days=31)
    assert renew_all(row.renew_at) == [None]
    assert tokens_of(row)[0] != TAB_CONNECTIONS.access_token.open(row)


@pytest.mark.parametrize("expires_in", [None, "5183944", 5183944])
def test_a_facebook_token_lives_two_months_by_default(
    expires_in: object, provider: ScriptedProvider
) -> None:
    configure_preset(provider, "facebook")
    provider.script.expires_in = expires_in
    at = now()

    row = sign_in(provider, now=at).connection
    assert row.expires_at is not None
    assert timedelta(days=59) < row.expires_at - at <= timedelta(days=60)


def test_facebook_is_asked_for_a_missing_lifetime(provider: ScriptedProvider) -> None:
    configure_preset(provider, "facebook")
    provider.script.expires_in = None
    at = now()
    provider.script.token_expires_at = int((at + timedelta(days=40)).timestamp())

    row = sign_in(provider, now=at).connection
    assert row.expires_at is not None
    assert timedelta(days=39.9) < row.expires_at - at <= timedelta(days=40)
    # Once, by the app, and with the token in the body
    (asked,) = provider.requests_for("/debug_token")
    assert set(asked.query) == {"appsecret_proof"}
    # And not where the answer states it
    provider.script.expires_in = 5183944
    sign_in(provider)
    assert len(provider.requests_for("/debug_token")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        json_answer({"data": {"expires_at": 0}}),
        json_answer({"data": {"expires_at": 1}}),
        json_answer({"data": {"expires_at": "soon"}}),
        json_answer({"data": {"expires_at": True}}),
        json_answer({"data": {"expires_at": 10**12}}),
        json_answer({"data": []}),
        json_answer([]),
        json_answer({"error": {"code": 190}}, 400),
        Answer(503),
        Answer(200, b"<html>", {"Content-Type": "text/html"}),
    ],
)
def test_a_facebook_token_without_a_known_end_has_the_default_lifetime(
    answer: Answer, provider: ScriptedProvider
) -> None:
    configure_preset(provider, "facebook")
    provider.script.expires_in = None
    provider.answer("/debug_token", answer)
    at = now()

    row = sign_in(provider, now=at).connection
    assert row.expires_at == at + timedelta(days=60)


def test_a_facebook_token_that_is_not_prolonged_is_exchanged_until_its_end(
    provider: ScriptedProvider,
) -> None:
    # Given a user who has been away for long, so that an exchange does not prolong the token
    configure_preset(provider, "facebook")
    at = now()
    row = sign_in(provider, now=at).connection
    end = row.expires_at
    assert end is not None
    while (due := reread(row).renew_at) < end - timedelta(minutes=5):
        provider.script.expires_in = int((end - due).total_seconds())
        assert renew_all(due) == [None]
    # Then it stays active, with a bounded number of exchanges
    assert reread(row).status == "active"
    assert len(provider.requests_for("/token")) < 20
    assert abs(reread(row).expires_at - end) < timedelta(minutes=1)


# -- Microsoft


@pytest.mark.parametrize(
    ("claims", "verified"),
    [
        ({}, False),
        ({"email": "jane@example.com"}, False),
        ({"email": "jane@example.com", "email_verified": True}, False),
        ({"email": "jane@example.com", "xms_edov": False}, False),
        ({"email": "jane@example.com", "xms_edov": True}, True),
        # Of another address than that of user info
        ({"email": "jane@example.org", "xms_edov": True}, False),
        ({"xms_edov": True}, False),
    ],
)
def test_a_microsoft_address_is_verified_by_xms_edov(
    claims: dict[str, Any], verified: bool, provider: ScriptedProvider
) -> None:
    configure_preset(provider, "microsoft")
    provider.script.claims = {**provider.script.claims, **claims}

    profile = sign_in(provider).connection.profile
    assert (profile["email"], profile["email_verified"]) == ("jane@example.com", verified)


def test_a_scope_omitted_by_microsoft_is_not_missing(provider: ScriptedProvider) -> None:
    # Given that Microsoft grants offline_access without naming it
    configure_preset(provider, "microsoft")
    provider.script.granted_scope = "openid profile email"

    assert describe_connection(sign_in(provider).connection)["missing_scopes"] == []
    # And without one it is missing
    provider.script.gives_refresh_token = False
    described = describe_connection(sign_in(provider).connection)
    assert described["missing_scopes"] == ["offline_access"]


# -- PKCE and nonce


@pytest.mark.parametrize("preset", PROFILES)
def test_each_preset_uses_pkce_and_nonce_as_its_provider_allows(
    preset: str, provider: ScriptedProvider
) -> None:
    is_bound, has_nonce = preset not in WITHOUT_PKCE, preset in WITH_NONCE
    configure_preset(provider, preset)

    asked = begin_and_parse()
    assert ("code_challenge" in asked) is is_bound
    assert ("nonce" in asked) is has_nonce


# -- Slack


def test_a_slack_user_belongs_to_a_workspace(provider: ScriptedProvider) -> None:
    configure_preset(provider, "slack")
    first = sign_in(provider).connection
    provider.script.user_info = {"https://slack.com/team_id": "T2"}

    second = sign_in(provider).connection
    assert {first.provider_subject, second.provider_subject} == {f"T0R7GR:{USER}", f"T2:{USER}"}


@pytest.mark.parametrize("missing", ["https://slack.com/team_id", "https://slack.com/user_id"])
def test_an_incomplete_slack_subject_is_refused(missing: str, provider: ScriptedProvider) -> None:
    configure_preset(provider, "slack")
    provider.script.user_info = {missing: None}

    with pytest.raises(Exception, match="does not name the user"):
        sign_in(provider)


def test_slacks_refusal_of_a_profile_is_a_refusal(provider: ScriptedProvider) -> None:
    configure_preset(provider, "slack")
    provider.answer("/userinfo", json_answer({"ok": False, "error": "invalid_auth"}))

    with pytest.raises(Exception, match="refused the request: invalid_auth"):
        sign_in(provider)


# -- Slack apps, with two pairs of tokens


def of_slack(rows: list[TAB_CONNECTIONS]) -> dict[str, TAB_CONNECTIONS]:
    return {row.provider_subject: row for row in rows}


@pytest.mark.usefixtures("database")
def test_each_of_slacks_pairs_is_a_connection_of_its_own(provider: ScriptedProvider) -> None:
    # Given an app that is installed, with tokens for its bot and for a user
    configure_preset(provider, "slack_app")
    described = exchange_code(**come_back(provider, subject="user-42"))
    # Then the bot's connection is the answer, and the user's stands beside it
    assert described["profile"]["subject"] == "T0R7GR:B1"
    items = list_connections(subject="user-42")["items"]
    assert {item["profile"]["subject"]: item["scope"] for item in items} == {
        "T0R7GR:B1": "commands chat:write",
        f"T0R7GR:{USER}": "search:read users:read",
    }
    assert [item["missing_scopes"] for item in items] == [[], []]
    # And the tokens of the two differ
    first, second = (tokens_of(row) for row in stored_connections())
    assert not set(map(str, (t.reveal() for t in first if t))) & {t.reveal() for t in second if t}
    # And installing it again adds no connection
    exchange_code(**come_back(provider, subject="user-42"))
    assert len(stored_connections()) == 2


@pytest.mark.usefixtures("database")
def test_both_of_slacks_pairs_are_renewed_each_by_itself(provider: ScriptedProvider) -> None:
    # Given both, whose refresh tokens serve once
    configure_preset(provider, "slack_app")
    at = now()
    sign_in(provider, now=at)
    before = {row.provider_subject: tokens_of(row) for row in stored_connections()}
    # When they fall due, again and again
    for hours in (12, 24, 36):
        assert renew_all(at + timedelta(hours=hours)) == [None, None]
    # Then each has new tokens, of its own kind
    rows = of_slack(stored_connections())
    # Which is used as any bearer token, whatever Slack calls its type
    assert {row.token_type for row in rows.values()} == {"Bearer"}
    assert rows[f"T0R7GR:{USER}"].scope == "search:read users:read"
    assert all(tokens_of(row) != before[name] for name, row in rows.items())
    # And a failure of one does not affect the other
    provider.pair_owners = {k: v for k, v in provider.pair_owners.items() if v == "bot"}
    outcomes = renew_all(at + timedelta(hours=48))
    assert sorted(map(str, outcomes)) == sorted(map(str, [None, ReauthorizationRequired]))
    assert of_slack(stored_connections())["T0R7GR:B1"].status == "active"


def test_each_slack_connection_takes_its_own_tokens(provider: ScriptedProvider) -> None:
    # Given a renewal whose answer holds both pairs
    configure_preset(provider, "slack_app")
    sign_in(provider)
    user = {"id": USER, "access_token": "user-token", "token_type": "user"}
    both = {"access_token": "bot-token", "token_type": "bot", "bot_user_id": "B1"}
    answer = {"ok": True, **both, "team": {"id": "T0R7GR"}, "authed_user": user}
    provider.answer("/token", json_answer(answer))
    # Then each connection takes its own
    for row in stored_connections():
        renew_connection(row.id)
        kind = row.profile["raw"]["token_of"]
        assert tokens_of(row)[0] == Secret(f"{kind}-token")


def test_slack_may_be_asked_for_the_users_tokens_alone(provider: ScriptedProvider) -> None:
    configure_preset(provider, "slack_app", scopes=[])
    provider.script.pairs = ("user",)

    described = exchange_code(**come_back(provider))
    assert described["profile"]["subject"] == f"T0R7GR:{USER}"
    assert described["scope"] == "search:read users:read"
    assert len(stored_connections()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"access_token": "a"},
        {"access_token": "a", "bot_user_id": "B1"},
        {"access_token": "a", "team": {"id": "T1"}},
        {"authed_user": {"access_token": "a"}, "team": {"id": "T1"}},
        {"authed_user": "U1"},
        # One valid pair and one without an account
        {
            "access_token": "a",
            "bot_user_id": "B1",
            "team": {"id": "T1"},
            "authed_user": {"access_token": "b"},
        },
    ],
)
def test_token_pairs_without_an_account_are_not_stored(
    answer: dict[str, Any], provider: ScriptedProvider
) -> None:
    configure_preset(provider, "slack_app")
    provider.answer("/token", json_answer({"ok": True, **answer}))

    with pytest.raises(ProviderMisbehaved):
        sign_in(provider)
    assert stored_connections() == []


# -- Apple


def test_apples_client_secret_is_signed_for_each_request(provider: ScriptedProvider) -> None:
    configure_preset(provider, "apple")
    for _ in range(2):
        sign_in(provider)

    secrets = [request.form["client_secret"] for request in provider.requests_for("/token")]
    assert len(set(secrets)) == 2


def test_the_name_that_apple_sends_once_is_kept(provider: ScriptedProvider) -> None:
    # Given a user whose first consent brought the name
    configure_preset(provider, "apple")
    first = sign_in(provider, subject="user-42").connection
    assert first.profile["name"] == "Jane Doe"
    # When they sign in again, without the name
    again = come_back(provider, subject="user-42")
    assert "user" not in again
    described = exchange_code(**again)
    # Then it is still there
    assert (described["id"], described["profile"]["name"]) == (first.id, "Jane Doe")
    # And the rest of the form field is ignored
    assert described["profile"]["email"] == "relay@privaterelay.appleid.com"


def test_the_name_that_apple_sends_once_survives_a_failed_sign_in(
    provider: ScriptedProvider,
) -> None:
    # Given first consents whose exchange fails, of a user with a subject and of one without
    configure_preset(provider, "apple")
    for named in ({}, {"subject": "user-42"}):
        provider.consents = 0
        provider.answer("/token", Answer(503), times=1)
        first = come_back(provider, **named)
        assert "user" in first
        with pytest.raises(ProviderUnreachable):
            exchange_code(**first)
    # When other users sign in, then they do not get it
    assert sign_in(provider, subject="user-43").connection.profile["name"] is None
    assert sign_in(provider).connection.profile["name"] is None
    # And when the same user of the app tries again, twice even, then the name is there
    provider.answer("/token", Answer(503), times=1)
    with pytest.raises(ProviderUnreachable):
        exchange_code(**come_back(provider, subject="user-42"))
    assert sign_in(provider, subject="user-42").connection.profile["name"] == "Jane Doe"
    # And the clean-up erases what was kept
    with hold_connection():
        TAB_VERIFICATION.erase_expired(now() + timedelta(hours=2))
        kept = list(TAB_VERIFICATION.select())
        assert all(row.status == "failed" and row.told_user for row in kept)
        TAB_VERIFICATION.erase_expired(now() + timedelta(days=2))
        assert TAB_VERIFICATION.select().count() == 0


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ('{"name": {"firstName": "Jane"}}', "Jane"),
        ('{"name": {"firstName": "Jane\\r\\nAdmin", "lastName": "\\u0000"}}', "Jane Admin \ufffd"),
        ('{"name": {"firstName": 5, "lastName": null}}', None),
        ('{"name": "Jane Doe"}', None),
        ("[]", None),
        ("{", None),
        ("[" * 2000, None),
        ("", None),
        (json.dumps({"name": {"firstName": "x" * 999}}), "x" * 255),
    ],
)
def test_any_user_field_yields_a_name_or_nothing(
    user: str, name: str | None, provider: ScriptedProvider
) -> None:
    configure_preset(provider, "apple")
    back = {**come_back(provider), "user": Secret(user)}

    assert exchange_code(**back)["profile"]["name"] == name


def test_only_apple_may_send_a_name_through_the_browser(provider: ScriptedProvider) -> None:
    configure_preset(provider, "google")
    provider.script.user_info = {"name": None}
    forged = Secret('{"name": {"firstName": "Mallory"}}')

    assert exchange_code(**{**come_back(provider), "user": forged})["profile"]["name"] is None


def test_apple_is_asked_at_most_once_a_day(provider: ScriptedProvider) -> None:
    # Given a token that ends after an hour, and a day between renewals
    configure_preset(provider, "apple")
    at = now()
    row = sign_in(provider, now=at).connection
    assert row.expires_at == at + timedelta(hours=1)
    # Then neither a sweep nor a forced renewal renews it sooner
    assert row.renew_at == at + timedelta(days=1)
    assert renew_all(at + timedelta(hours=23)) == []
    with pytest.raises(RenewalTooSoon):
        renew_connection(row.id)
    assert refreshes(provider) == []
    # And after a failure the usual wait is enough
    with hold_connection():
        TAB_CONNECTIONS.update(status="renewal_failing").execute()
    assert renew_connection(row.id)["status"] == "active"


# -- Generic ones: no preset, by the issuer or by the addresses alone


def test_an_unknown_openid_provider_needs_its_issuer_alone(provider: ScriptedProvider) -> None:
    configure(provider)

    assert sign_in(provider).connection.profile["email_verified"] is True


def test_an_unknown_oauth_provider_needs_its_endpoints_alone(provider: ScriptedProvider) -> None:
    configure_plain(provider, profile={"subject": "user.id", "name": "user.names.0"})
    answer = {"user": {"id": 7, "names": ["Jane", "J."]}, "email": "jane@example.com"}
    provider.answer("/userinfo", json_answer(answer))

    profile = sign_in(provider).connection.profile
    assert (profile["subject"], profile["name"]) == ("7", "Jane")
    # And the address is neither verified nor unverified
    assert profile["email_verified"] is None


def test_a_client_may_authenticate_by_a_private_key(provider: ScriptedProvider) -> None:
    # Given a provider that accepts a signed assertion in place of a secret (RFC 7523)
    provider.script.client_authentication = "private_key_jwt"
    key = {"client_secret": None, "private_key": client_key_pem(), "key_id": KEY_ID}
    configure(provider, **key, token_endpoint_auth_method="private_key_jwt")
    # Then a user signs in, is renewed and signs out
    row = sign_in(provider).connection
    assert renew_connection(row.id)["status"] == "active"
    assert revoke_connection(row.id)["revoked_at_provider"] is True
    # And no assertion is sent twice
    forms = [*provider.requests_for("/token"), *provider.requests_for("/revoke")]
    assert len({request.form["client_assertion"] for request in forms}) == 4
    assert all("PRIVATE" not in str(request.form) for request in forms)
    # And without the key nothing is sent
    patch_provider(NAME, {"private_key": None}, now())
    discover(NAME, now())
    with pytest.raises(ProviderNotConfigured, match="has no private_key"):
        sign_in(provider)


def test_microsoft_knows_a_private_key_by_its_certificate(provider: ScriptedProvider) -> None:
    # Given an app whose key Entra recognises by an uploaded certificate
    pem, certificate, _, _ = certified_key()
    shown = {"client_secret": None, "private_key": pem, "certificate": certificate}
    configure_preset(provider, "microsoft", token_endpoint_auth_method="private_key_jwt")
    provider.script.client_authentication = "private_key_jwt"
    provider.script.wants_certificate = True
    patch_provider(NAME, shown, now())
    # Then a user signs in and is renewed
    row = sign_in(provider).connection
    assert renew_connection(row.id)["status"] == "active"
    assert "PRIVATE" not in str(describe_provider(NAME))
    # And a certificate of another key is refused before anything is sent
    patch_provider(NAME, {"private_key": client_key_pem()}, now())
    with pytest.raises(ProviderNotConfigured, match="not that of its private_key"):
        sign_in(provider)


def test_an_invalid_certificate_is_refused(provider: ScriptedProvider) -> None:
    configure_preset(provider, "microsoft")
    key, certificate, _, _ = certified_key()
    for wrong in (
        "",
        "none",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        key,
        certificate * 2,
        certificate.replace("BEGIN", "END"),
    ):
        with pytest.raises(ProviderInvalid) as refusal:
            patch_provider(NAME, {"certificate": wrong}, now())
        assert set(refusal.value.fields) == {"certificate"}
    # And one on a single line, as in environment files, is valid
    patch_provider(NAME, {"certificate": certificate.replace("\n", "\\n")}, now())


def test_facebooks_proof_is_tried_with_each_secret(provider: ScriptedProvider) -> None:
    # Given an app whose secret is being changed, and a proof by the secret in force
    configure_preset(provider, "facebook")
    secrets = {"client_secret": None, "client_secrets": ["not-yet", provider.client_secret]}
    patch_provider(NAME, secrets, now())
    provider.script.proof_secret = provider.client_secret
    # Then a user signs in
    row = sign_in(provider).connection
    assert row.provider_subject == USER
    assert revoke_connection(row.id)["revoked_at_provider"] is True
    # And without a valid secret the sign-in is refused
    provider.script.proof_secret = "another"
    with pytest.raises(ProviderRefused):
        sign_in(provider)
