"""E-mail addresses that a provider lists at a URL of their own, in the shapes that are in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from actors.providers.identity.profiles import value_at

#: Where an answer has the list, and an entry each part: the paths that are tried in turn. The
#: names are those of GitHub, Bitbucket, Gitee, LinkedIn's former API and Google's People API.
_USUAL_PATHS: Final[Mapping[str, tuple[str, ...]]] = {
    "list": ("emails", "values", "elements", "emailAddresses", "data", "items", "results"),
    "email": ("email", "value", "address", "emailAddress", "email_address", "handle~.emailAddress"),
    "primary": ("primary", "is_primary", "isPrimary", "metadata.primary", "scope"),
    "verified": (
        *("verified", "is_verified", "isVerified", "email_verified"),
        *("confirmed", "is_confirmed", "isConfirmed", "metadata.verified", "state"),
    ),
}


class _Entry(NamedTuple):
    """An address with what the provider says of it; None where it says nothing."""

    address: Any
    is_primary: bool | None
    is_verified: bool | None


def choose_email(answer: Any, paths: Mapping[str, str]) -> tuple[Any, bool | None]:
    """Return the user's main address, and whether it is verified, None where that is not said.

    The answer is a list, or an object with one, of objects or texts; or one such object. `paths`
    are the provider's setting `emails`, for names that are not usual. The address is the primary
    one; where none is marked so, the only verified one, or the only one. One that is said to be
    unverified is left out.
    """
    entries = [_read_entry(item, paths) for item in _list_entries(answer, paths)]
    entries = [entry for entry in entries if entry.address]
    chosen = [entry for entry in entries if entry.is_primary]
    if all(entry.is_primary is None for entry in entries):
        chosen = entries if len(entries) == 1 else [it for it in entries if it.is_verified]
    if len(chosen) != 1 or chosen[0].is_verified is False:
        return None, None
    return chosen[0].address, chosen[0].is_verified


def _list_entries(answer: Any, paths: Mapping[str, str]) -> Iterator[Any]:
    if isinstance(answer, Mapping):
        found = _first(answer, "list", paths)
        # An object without a list speaks of one address.
        answer = found if found is not None else [answer]
    if isinstance(answer, Mapping):
        answer = [answer]
    yield from answer if isinstance(answer, list) else ()


def _read_entry(item: Any, paths: Mapping[str, str]) -> _Entry:
    if not isinstance(item, Mapping):
        return _Entry(item if isinstance(item, str) else None, None, None)
    primary, verified = _first(item, "primary", paths), _first(item, "verified", paths)
    return _Entry(
        address=_first(item, "email", paths),
        is_primary=None if primary is None else _is_true(primary),
        is_verified=None if verified is None else _is_true(verified),
    )


def _first(item: Any, part: str, paths: Mapping[str, str]) -> Any:
    candidates = (paths[part],) if part in paths else _USUAL_PATHS[part]
    values = (value_at(item, path) for path in candidates)
    return next((value for value in values if value is not None), None)


def _is_true(value: Any) -> bool:
    """Return whether a flag is set; Gitee has words for both: `primary`, `confirmed`."""
    words = value if isinstance(value, list) else [value]
    return any(
        word is True or word in ("true", "primary", "verified", "confirmed") for word in words
    )
