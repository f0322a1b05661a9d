"""The user's profile, the same shape for every provider, with an honest word about the address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.errors import ProviderMisbehaved
from actors.providers.http.answers import one_line
from actors.providers.protocol.provider import Provider

Profile = dict[str, Any]

#: OpenID Connect Core section 2 allows a subject no more, and the column holds no more.
_LONGEST_SUBJECT: Final = 255
#: RFC 5321 section 4.5.3.1: 64 before the @ and 255 behind.
_EMAIL: Final = re.compile(r"[^\s@\ufffd]{1,64}@[^\s@\ufffd]{1,255}")
_AND: Final = " + "
_PICTURE: Final = re.compile(r"https?://[!-~]{1,2048}", re.IGNORECASE)


def normalise(provider: Provider, raw: Mapping[str, Any]) -> Profile:
    """Return the profile: provider, subject, email, email_verified, name, picture and raw.

    `email_verified` is true or false where the provider may be believed, else null. What is not an
    address, or not a web address of a picture, is left out; a page may show them as they are.

    Raises:
        ProviderMisbehaved: The answer does not tell who the user is.
    """
    part = {name: _at(raw, path) for name, path in provider.profile.items()}
    subject = subject_text(_joined(raw, provider.profile["subject"]))
    if subject is None:
        raise ProviderMisbehaved("The provider's answer does not tell who the user is.")
    email = _matching(_EMAIL, part["email"])
    return {
        "provider": provider.name,
        "subject": subject,
        "email": email,
        "email_verified": _is_verified(provider, email, part["email_verified"]),
        "name": one_line(part["name"]),
        "picture": _matching(_PICTURE, part["picture"]),
        "raw": dict(raw),
    }


def subject_text(value: Any) -> str | None:
    """Return the text of a subject, which some providers write as a number; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or one_line(value) != value or "\ufffd" in value:
        return None
    return value if len(value) <= _LONGEST_SUBJECT else None


def _joined(raw: Any, paths: str) -> Any:
    """Return what stands at a path, or, of an account that several parts name, all of them."""
    if _AND not in paths:
        return _at(raw, paths)
    parts = [subject_text(_at(raw, path)) for path in paths.split(_AND)]
    return None if None in parts else ":".join(filter(None, parts))


def _at(raw: Any, path: str) -> Any:
    # Names may have dots themselves, as those that are web addresses.
    if isinstance(raw, Mapping) and path in raw:
        return raw[path]
    for name in path.split("."):
        match raw:
            case Mapping():
                raw = raw.get(name)
            case [first, *_] if name == "0":
                raw = first
            case _:
                return None
    return raw


def _matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _is_verified(provider: Provider, email: str | None, claim: Any) -> bool | None:
    if email is None or provider.email_trust == "never":
        return None if email is None else False
    if provider.email_trust == "present":
        return True
    # Apple, among others, writes booleans as strings.
    told = {"true": True, "false": False}.get(str(claim).lower())
    return bool(told) if provider.email_trust == "explicit" else told
