"""Identity of a provider's users: whether anything yields it, before a user's code is spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.providers.protocol.provider_builder import STANDARD_SCOPES, list_needed_endpoints

_NOTHING: Final = (
    "is needed, as nothing else names the user of a sign-in: give it, or issuer and the scope "
    'openid; or identity "token_response" with profile.subject; or identity "none" where no user '
    "is named"
)


def find_identity_problems(whole: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield why a sign-in with these settings would name no user, by the field that mends it.

    What an issuer publishes is not known yet; a sign-in checks it once more at its beginning.
    """
    identity = whole.get("identity")
    if "authorization_endpoint" not in list_needed_endpoints(whole):
        return  # Its connections are made without a browser, and named by the app.
    if identity is None and not _names_users(whole):
        yield "userinfo_endpoint", _NOTHING
    elif identity is not None and (lacking := _find_lacking(identity, whole)):
        yield "identity", f"needs {lacking}"


def _find_lacking(identity: str, whole: Mapping[str, Any]) -> str | None:
    """Return what an identity needs and the settings do not give."""
    match identity:
        case "token_response" if "subject" not in whole.get("profile", {}):
            return "profile.subject: where the token answer names the user"
        case "id_token" if not _yields_id_token(whole):
            return "issuer, and openid among scopes"
        case "userinfo" if not whole.get("userinfo_endpoint") and not _may_discover(whole):
            return "userinfo_endpoint"
    return None


def _names_users(whole: Mapping[str, Any]) -> bool:
    has_own = whole.get("userinfo_endpoint") or whole.get("token_answer", "standard") != "standard"
    return bool(has_own) or _yields_id_token(whole) or _may_discover(whole)


def _yields_id_token(whole: Mapping[str, Any]) -> bool:
    is_asked = "openid" in whole.get("scopes", STANDARD_SCOPES)
    is_given = is_asked or whole.get("always_gives_id_token", False)
    return bool(whole.get("issuer")) and bool(is_given)


def _may_discover(whole: Mapping[str, Any]) -> bool:
    """Return whether the issuer is asked for what the settings lack."""
    has_all = whole.get("authorization_endpoint") and whole.get("token_endpoint")
    return bool(whole.get("issuer")) and not has_all
