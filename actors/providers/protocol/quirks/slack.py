"""Slack: an app is given two pairs of tokens, each revoked by itself; every status is 200."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.errors import ProviderRefused
from actors.providers.http.answers import error_of, parse_json
from actors.providers.http.forms import post_form
from catfeeder.sealing import Secret

#: Such a token is as good as revoked.
_DEAD: Final = frozenset({"account_inactive", "invalid_auth", "token_expired", "token_revoked"})


def pairs(answer: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Return the pairs of tokens that an installed app is given, each with whose it is.

    The bot's is first; an app may have asked for that of the user alone.
    """
    user = answer.get("authed_user")
    user = user if isinstance(user, Mapping) else {}
    # An app that is installed for all of an organisation belongs to no one workspace.
    home = {"team": answer.get("team") or answer.get("enterprise")}
    found: list[tuple[Mapping[str, Any], dict[str, Any]]] = []
    if answer.get("access_token"):
        # A renewal answers the user's pair here as well, and says so.
        is_user = answer.get("token_type") == "user"
        whose = user.get("id") if is_user else answer.get("bot_user_id")
        found.append((answer, {**home, "id": whose, "token_of": "user" if is_user else "bot"}))
    if user.get("access_token"):
        found.append((user, {**home, "id": user.get("id"), "token_of": "user"}))
    return found


def revoke(url: str, access_token: Secret) -> None:
    """Revoke a token, which shows itself for that; the client's secret is not asked for.

    Raises:
        ProviderRefused, ProviderUnreachable, ProviderMisbehaved: It was not revoked.
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
