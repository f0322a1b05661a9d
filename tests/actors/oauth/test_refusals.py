"""Authorization error responses: read in every spelling, and cleaned before they are shown."""

from __future__ import annotations

import pytest

from actors.oauth.refusals import ProviderError, read_provider_error
from catfeeder.sealing import Secret


@pytest.mark.parametrize(
    ("parameters", "error", "description"),
    [
        ({"error": "access_denied"}, "access_denied", None),
        (
            {"error": "login_required", "error_description": "Sign in."},
            "login_required",
            "Sign in.",
        ),
        # Capitals, and other ways to write words
        ({"error": "ACCESS_DENIED"}, "access_denied", None),
        ({"error": "Access-Denied"}, "access_denied", None),
        ({"error": "AccessDenied"}, "access_denied", None),
        ({"error": "Invalid Scope"}, "invalid_scope", None),
        # Words and numbers of a provider's own
        ({"error": "user_cancelled_login"}, "user_cancelled_login", None),
        ({"error": "AADSTS50105"}, "AADSTS50105", None),
        (
            {"error": "invalid_client", "error_description": "AADSTS650052: The app needs access."},
            "invalid_client",
            "AADSTS650052: The app needs access.",
        ),
        # Members of other names, with and without `error`
        ({"error_code": "1349048", "error_message": "Can't load URL"}, "1349048", "Can't load URL"),
        ({"error_message": "Try again"}, None, "Try again"),
        ({"errorCode": "temporarily_unavailable"}, "temporarily_unavailable", None),
        (
            {"error": "access_denied", "error_code": "200", "error_reason": "user_denied"},
            "access_denied",
            "user_denied",
        ),
        ({"error": "server_error", "message": "Broken."}, "server_error", "Broken."),
        # Sentences in place of a code, and those that are encoded once more
        (
            {"error": "AADSTS65004: User declined to consent."},
            "AADSTS65004",
            "User declined to consent.",
        ),
        ({"error": "-401"}, "-401", None),
        ({"error": "The user said no"}, None, "The user said no"),
        ({"error": "x", "error_description": "The%20user+said%20no"}, "x", "The user said no"),
        # What is not fit to repeat
        ({"error": "<script>"}, None, None),
        ({"error": "a" * 65, "error_code": "17"}, "17", None),
        (
            {"error": "x", "error_description": "<b>\r\nSet-Cookie: a\u202e</b>"},
            "x",
            "b Set-Cookie: a/b",
        ),
        ({"error": "x", "error_description": "no " * 500}, "x", ("no " * 100)[:299] + "…"),
        ({"error": "x", "error_description": "bad state s-1:house"}, "x", "bad state …"),
        ({"error": "x", "error_description": f"token {'a1' * 20}."}, "x", "token …."),
    ],
)
def test_an_error_is_read_and_cleaned(
    parameters: dict[str, str], error: str | None, description: str | None
) -> None:
    found = read_provider_error(parameters, [Secret("s-1:house")])
    assert found == ProviderError(error, description)


def test_what_names_no_error_is_none() -> None:
    assert read_provider_error({"code": "c", "realmId": "1", "message": "Welcome"}) is None


@pytest.mark.parametrize(
    ("error", "is_choice"),
    [
        *((error, True) for error in ("access_denied", "login_required", "user_cancelled_login")),
        *((error, False) for error in ("unauthorized_client", "server_error", "1349048", None)),
    ],
)
def test_a_users_choice_is_distinguished_from_a_fault(error: str | None, is_choice: bool) -> None:
    assert ProviderError(error, None).is_users_choice is is_choice
