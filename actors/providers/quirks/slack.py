"""Slack: tokens are revoked one by one, and every answer has status 200."""

from __future__ import annotations

from typing import Final

from actors.errors import ProviderRefused
from actors.providers.answers import error_of, parse_json
from actors.providers.transport import post_form
from catfeeder.sealing import Secret

#: Such a token is as good as revoked.
_DEAD: Final = frozenset({"account_inactive", "invalid_auth", "token_expired", "token_revoked"})


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
