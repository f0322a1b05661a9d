"""Profile normalisation: one shape for every provider, `email_verified` only where proven."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.answers import one_line
from actors.providers.protocol.provider import Provider
from catfeeder.results import Profile, ProfileSource

#: The limit of OpenID Connect Core section 2, and of the column.
_MAX_SUBJECT_LENGTH: Final = 255
#: RFC 5321 section 4.5.3.1: 64 before the @ and 255 behind.
_EMAIL: Final = re.compile(r"[^\s@\ufffd]{1,64}@[^\s@\ufffd]{1,255}")
_TOKEN_CLAIMS: Final = frozenset(
    {"at_hash", "aud", "azp", "c_hash", "exp", "iat", "iss", "jti", "nbf", "nonce", "s_hash", "sid"}
)
_AND: Final = " + "
#: The parts of a name (OpenID Connect Core section 5.1), for answers without the whole.
_NAME_PARTS: Final = "given_name + family_name"
#: A name, or a condition in brackets, of a path.
_STEPS: Final = re.compile(r"([^.\[\]]+)|\[([^\]]+)\]")
_PICTURE: Final = re.compile(r"https?://[!-~]{1,2048}", re.IGNORECASE)


def normalise(
    provider: Provider, raw: Mapping[str, Any], source: ProfileSource = "userinfo"
) -> Profile:
    """Return the profile of a user info answer or of an id_token's claims, as `source` says.

    `email_verified` is true or false as `email_trust` says, else null. An invalid address or
    picture URL is left out, so that a page may show both unescaped.

    Raises:
        ProviderMisbehaved: The answer does not name the user.
    """
    part = {name: value_at(raw, path) for name, path in provider.profile.items()}
    subject = find_subject(provider, raw)
    if subject is None:
        raise ProviderMisbehaved("The provider's answer does not name the user.")
    email = _find_matching(_EMAIL, part["email"])
    return {
        "provider": provider.public_name,
        "subject": subject,
        "email": email,
        "email_verified": _is_verified(provider, email, part["email_verified"]),
        "name": _name(raw, provider.profile["name"]),
        "picture": _find_matching(_PICTURE, part["picture"]),
        "source": source,
        "raw": dict(raw),
    }


def user_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims about the user, without those about the token itself."""
    return {name: value for name, value in claims.items() if name not in _TOKEN_CLAIMS}


def describe_no_one(
    provider: Provider, source: ProfileSource | None = "none", subject: str | None = None
) -> Profile:
    """Return the profile of a user of whom nothing is known, but for an account's name.

    `source` is "none" where the provider names no users, and None where it has not named one yet.
    """
    return {
        "provider": provider.public_name,
        "subject": subject,
        "email": None,
        "email_verified": None,
        "name": None,
        "picture": None,
        "source": source,
        "raw": {},
    }


def find_subject(provider: Provider, raw: Mapping[str, Any]) -> str | None:
    """Return the subject where the provider's settings say; None where an answer has none."""
    return subject_text(_join(raw, provider.profile["subject"]))


def only_entry(provider: Provider, answer: Any) -> dict[str, Any]:
    """Return the user that an answer is about; some providers answer a list of one.

    Of several users the first is meant only where the provider's settings say so, by a path of the
    subject that begins with 0.

    Raises:
        ProviderMisbehaved: It is no object, or a list of other than one.
    """
    match answer:
        case dict():
            return answer
        case [dict() as first, *others]:
            if not others or provider.profile["subject"].startswith("0."):
                return first
    raise ProviderMisbehaved("The provider's user info is not a JSON object.")


def subject_text(value: Any) -> str | None:
    """Return the text of a subject, which may be a number; None for an invalid one."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or one_line(value) != value or "\ufffd" in value:
        return None
    return value if len(value) <= _MAX_SUBJECT_LENGTH else None


def _join(raw: Any, paths: str) -> Any:
    """Return the value at a path; the values at several paths are joined by colons."""
    if _AND not in paths:
        return value_at(raw, paths)
    parts = [subject_text(value_at(raw, path)) for path in paths.split(_AND)]
    return None if None in parts else ":".join(filter(None, parts))


def _name(raw: Mapping[str, Any], paths: str) -> str | None:
    """Return the name at a path, or the names at several; by default that of its parts."""
    for candidate in (paths, _NAME_PARTS):
        parts = (one_line(value_at(raw, path)) for path in candidate.split(_AND))
        if name := " ".join(filter(None, parts)):
            return name
    return None


def value_at(raw: Any, path: str) -> Any:
    """Return the value at a path of data: dots lead into objects, a number to that place of a list.

    `emails[primary=true].email` is of the first object in a list that has such a member.
    """
    # A name may have dots itself, such as a URL.
    if isinstance(raw, Mapping) and path in raw:
        return raw[path]
    for name, condition in _STEPS.findall(path):
        raw = _keep_matching(raw, condition) if condition else _step(raw, name)
    return None if isinstance(raw, _Matches) else raw


class _Matches(list[Any]):
    """The entries of a list that meet a condition, of which the first is meant."""


def _keep_matching(raw: Any, condition: str) -> Any:
    if isinstance(raw, Mapping):
        raw = [raw]
    member, is_given, wanted = condition.partition("=")
    if not isinstance(raw, list) or not is_given:
        return _step(raw, condition)
    return _Matches(item for item in raw if _write(value_at(item, member)) == wanted)


def _step(raw: Any, name: str) -> Any:
    if isinstance(raw, _Matches):
        raw = raw[0] if raw else None
    match raw:
        case Mapping() if name == "0" and name not in raw:
            return raw  # An object in place of a list of one, as `only_entry` returns it.
        case Mapping():
            return raw.get(name)
        case list() if name.isdecimal() and int(name) < len(raw):
            return raw[int(name)]
    return None


def _write(value: Any) -> str | None:
    """Return a value as a condition has it: true and false as JSON writes them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def _find_matching(pattern: re.Pattern[str], value: Any) -> str | None:
    return value if isinstance(value, str) and pattern.fullmatch(value) else None


def _is_verified(provider: Provider, email: str | None, claim: Any) -> bool | None:
    if email is None or provider.email_trust == "never":
        return None if email is None else False
    if provider.email_trust == "present":
        return True
    # Apple, among others, writes booleans as strings.
    claimed = {"true": True, "false": False}.get(str(claim).lower())
    return bool(claimed) if provider.email_trust == "explicit" else claimed
