"""Apple: the client secret is a signed JWT; the first consent alone sends the user's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.providers.errors import ProviderNotConfigured
from actors.providers.http.answers import one_line, parse_json
from actors.providers.protocol.client_authentication.assertions import sign_assertion
from actors.providers.protocol.provider import Provider

_AUDIENCE: Final = "https://appleid.apple.com"
_MAX_NAME_LENGTH: Final = 255


def client_secret(provider: Provider) -> str:
    """Return a client secret for one request; Apple accepts six months of lifetime at most.

    Raises:
        ProviderNotConfigured: The team, the key's id or the key is missing.
    """
    for needed in ("team_id", "key_id"):
        if getattr(provider, needed) is None:
            raise ProviderNotConfigured.lacks(provider.name, needed)
    audience = provider.issuer or _AUDIENCE
    return sign_assertion(provider, issuer=str(provider.team_id), audience=audience)


def name_of(form_field: str) -> str | None:
    """Return the name in the form field `user`, which the first consent alone sends.

    The rest of the field is ignored: it came through the browser, unsigned.
    """
    try:
        user = parse_json(form_field.encode(errors="replace"))
    except ValueError:
        return None
    name: Any = user.get("name") if isinstance(user, Mapping) else None
    if not isinstance(name, Mapping):
        return None
    parts = (one_line(name.get("firstName")), one_line(name.get("lastName")))
    return " ".join(filter(None, parts))[:_MAX_NAME_LENGTH] or None
