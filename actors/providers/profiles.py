"""The user's profile, the same shape for every provider, with an honest word about the address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.errors import ProviderMisbehaved
from actors.providers.provider import Provider

Profile = dict[str, Any]


def normalise(provider: Provider, raw: Mapping[str, Any]) -> Profile:
    """Return the profile: provider, subject, email, email_verified, name, picture and raw.

    `email_verified` is true or false where the provider may be believed, else null.

    Raises:
        ProviderMisbehaved: The answer does not tell who the user is.
    """
    part = {name: _at(raw, path) for name, path in provider.profile.items()}
    subject = part["subject"]
    if isinstance(subject, bool) or not isinstance(subject, str | int) or subject == "":
        raise ProviderMisbehaved("The provider's answer does not tell who the user is.")
    email = _text(part["email"])
    return {
        "provider": provider.name,
        "subject": str(subject),
        "email": email,
        "email_verified": _is_verified(provider, email, part["email_verified"]),
        "name": _text(part["name"]),
        "picture": _text(part["picture"]),
        "raw": dict(raw),
    }


def _at(raw: Any, path: str) -> Any:
    for name in path.split("."):
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _is_verified(provider: Provider, email: str | None, claim: Any) -> bool | None:
    if email is None or provider.email_trust == "never":
        return None if email is None else False
    if provider.email_trust == "present":
        return True
    # Apple, among others, writes booleans as strings.
    return {"true": True, "false": False}.get(str(claim).lower())
