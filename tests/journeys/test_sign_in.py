"""A sign-in from the first click to a token that is renewed before it expires."""

from __future__ import annotations

import pytest
import requests

from tests.journeys.sign_in import sign_in
from tests.journeys.stack import ANONYMOUS, Stack
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until

pytestmark = pytest.mark.journey


def accepts(provider: OidcProvider, access_token: str) -> bool:
    """Return whether the provider takes an access token."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(f"{provider.issuer}/userinfo", headers=headers, timeout=10).ok


def test_a_user_signs_in_and_the_token_is_kept_fresh(
    stack_with_provider: Stack, oidc_provider: OidcProvider
) -> None:
    stack = stack_with_provider
    # Given a user who has an account at the provider
    oidc_provider.describe_user(
        "alice", email="alice@cats.example", email_verified=True, name="Alice"
    )
    # When they sign in
    connection = sign_in(stack, oidc_provider, "alice", subject="user-1")
    # Then the app sees who they are, without any token
    profile = connection["profile"]
    assert profile["subject"] == "alice"
    assert (profile["email"], profile["email_verified"]) == ("alice@cats.example", True)
    assert connection["subject"] == "user-1"
    assert "token" not in str(connection)
    # And it finds the connection by its own name for the user
    listed = stack.call("GET", "/v1/connections", params={"subject": "user-1"}).json()
    assert [item["id"] for item in listed["items"]] == [connection["id"]]
    # And user info can be fetched anew
    oidc_provider.describe_user("alice", email="alice@dogs.example", email_verified=False)
    asked = {"connection_id": connection["id"]}
    fresh = stack.result("/v1/oauth/house/user-info", asked)
    assert (fresh["email"], fresh["email_verified"]) == ("alice@dogs.example", False)
    # When the token falls due, then the scheduler renews it before it expires, which the provider
    # sees, without any read of it meanwhile
    path = f"/v1/connections/{connection['id']}"
    first = stack.call("GET", f"{path}/token").json()["access_token"]
    assert accepts(oidc_provider, first)
    stack.execute("UPDATE connections SET renew_at = 0")
    wait_until(lambda: stack.call("GET", path).json()["expires_at"] != connection["expires_at"])
    assert stack.call("GET", path).json()["updated_at"] < connection["expires_at"]
    second = stack.call("GET", f"{path}/token").json()["access_token"]
    assert second != first
    assert accepts(oidc_provider, second)
    assert not accepts(oidc_provider, first)


def test_the_same_account_signing_in_again_updates_its_connection(
    stack_with_provider: Stack, oidc_provider: OidcProvider
) -> None:
    # Given a connected account
    first = sign_in(stack_with_provider, oidc_provider, "bob", subject="user-2")
    # When it signs in again, and another account does so for the same subject
    second = sign_in(stack_with_provider, oidc_provider, "bob", subject="user-2")
    other = sign_in(stack_with_provider, oidc_provider, "bob-at-work", subject="user-2")
    # Then the first has one connection and the subject two
    assert second["id"] == first["id"]
    listed = stack_with_provider.call("GET", "/v1/connections?subject=user-2").json()["items"]
    assert [item["id"] for item in listed] == [first["id"], other["id"]]


def test_a_browser_is_led_through_the_login(
    stack_with_provider: Stack, oidc_provider: OidcProvider
) -> None:
    # Given a browser that opens the login of the provider, without any key
    login = stack_with_provider.call("GET", "/v1/oauth/house/login", key=ANONYMOUS)
    assert login.status_code == requests.codes.see_other
    # When the user consents there and the provider sends it back
    answer = oidc_provider.consent(login.headers["Location"], "carol")
    cookies = login.cookies.get_dict()
    finished = stack_with_provider.call(
        "GET", "/v1/oauth/callback", params=answer, key=ANONYMOUS, cookies=cookies
    )
    # Then the connection is theirs, and the same answer serves no second time
    assert finished.json()["profile"]["subject"] == "carol"
    again = stack_with_provider.call(
        "GET", "/v1/oauth/callback", params=answer, key=ANONYMOUS, cookies=cookies
    )
    assert again.status_code == requests.codes.bad_request


def test_a_user_who_takes_the_consent_back_must_sign_in_again(
    stack_with_provider: Stack, oidc_provider: OidcProvider
) -> None:
    # Given a connection whose user has taken the consent back at the provider
    connection = sign_in(stack_with_provider, oidc_provider, "dave", subject="user-3")
    oidc_provider.revoke_tokens_of("dave")
    # When a renewal is asked for
    finished = stack_with_provider.job(f"/v1/connections/{connection['id']}/renew")
    # Then it fails for good, and the connection says why
    assert finished["status"] == "failed"
    assert finished["error"]["code"] == "reauthorization_required"
    now = stack_with_provider.call("GET", f"/v1/connections/{connection['id']}").json()
    assert now["status"] == "reauthorization_required"


def test_a_connection_is_erased(stack_with_provider: Stack, oidc_provider: OidcProvider) -> None:
    # Given a connection
    connection = sign_in(stack_with_provider, oidc_provider, "erin", subject="user-4")
    path = f"/v1/connections/{connection['id']}"
    # When the app disconnects it
    gone = stack_with_provider.job(path, method="DELETE")
    # Then nothing is left of it
    assert gone["status"] == "succeeded"
    assert stack_with_provider.call("GET", path).status_code == requests.codes.not_found
