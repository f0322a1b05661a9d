"""Apple: the client secret is a JWT that we sign, and the name comes once, beside the code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from actors.errors import ProviderNotConfigured
from actors.providers.http.answers import one_line, parse_json
from actors.providers.protocol.client_assertions import sign_assertion
from actors.providers.protocol.provider import Provider

_AUDIENCE: Final = "https://appleid.apple.com"
_LONGEST_NAME: Final = 255


def client_secret(provider: Provider) -> str:
    """Return a client secret for one request; Apple takes none that lives longer than 6 months.

    Raises:
        ProviderNotConfigured: The team, the key's id or the key is missing.
    """
    for needed in ("team_id", "key_id"):
        if getattr(provider, needed) is None:
            raise ProviderNotConfigured(f"The provider {provider.name} has no {needed}.")
    audience = provider.issuer or _AUDIENCE
    return sign_assertion(provider, issuer=str(provider.team_id), audience=audience)


def name_of(form_field: str) -> str | None:
    """Return the name in the form field `user`, which comes with the first consent alone.

    Nothing else of it is taken: it came by way of the browser, and nobody has signed it.
    """
    try:
        user = parse_json(form_field.encode(errors="replace"))
    except ValueError:
        return None
    name: Any = user.get("name") if isinstance(user, Mapping) else None
    if not isinstance(name, Mapping):
        return None
    parts = (one_line(name.get("firstName")), one_line(name.get("lastName")))
    return " ".join(filter(None, parts))[:_LONGEST_NAME] or None
