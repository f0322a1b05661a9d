"""Slack: two token pairs in one answer, auth.revoke for each, and errors with status 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.providers.errors import ProviderRefused
from actors.providers.http.answers import error_of, parse_json
from actors.providers.http.forms import post_form
from catfeeder.sealing import Secret

#: Errors of a token that is revoked already.
_DEAD: Final = frozenset({"account_inactive", "invalid_auth", "token_expired", "token_revoked"})


def split_pairs(answer: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Return the token pairs of an installed app, each with its account.

    The bot's pair is first. An app may have asked for the user's pair only.
    """
    user = answer.get("authed_user")
    user = user if isinstance(user, Mapping) else {}
    # An app that is installed for a whole organisation has no single workspace.
    home = {"team": answer.get("team") or answer.get("enterprise")}
    found: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
    if answer.get("access_token"):
        # A renewal of the user's pair is answered at this level too, with its type.
        is_user = answer.get("token_type") == "user"
        whose = user.get("id") if is_user else answer.get("bot_user_id")
        found.append((answer, {**home, "id": whose, "token_of": "user" if is_user else "bot"}))
    if user.get("access_token"):
        found.append((user, {**home, "id": user.get("id"), "token_of": "user"}))
    return found


def revoke(url: str, access_token: Secret) -> None:
    """Revoke a token; the request carries the token itself and no client secret.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: The token is still valid.
    """
    headers = {"Authorization": f"Bearer {access_token.reveal()}"}
    response = post_form(url, {}, None, headers=headers)
    try:
        answer = parse_json(response.content)
    except ValueError:
        answer = None
    error = error_of(answer) if isinstance(answer, dict) else f"status {response.status_code}"
    if error is not None and error not in _DEAD:
        raise ProviderRefused(error)
