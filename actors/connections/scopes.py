"""Scopes that were asked for and not granted (RFC 6749 section 3.3), without false alarms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from actors.providers.protocol.provider import Provider
from actors.providers.protocol.tokens.answers import TokenResponse

#: The standard's name for the scope that yields a refresh token (OpenID Connect Core section 11).
_OFFLINE_ACCESS: Final = "offline_access"
#: Microsoft's word for all that is consented to already; the answer names those scopes instead.
_DEFAULT: Final = ".default"
#: How many implications may follow one another: `admin:org`, `write:org`, `read:org`.
_MAX_STEPS: Final = 3


def find_missing_scopes(
    provider: Provider, tokens: TokenResponse, asked_scope: str, granted_before: str = ""
) -> list[str]:
    """Return the scopes of `asked_scope` that a token response leaves out.

    None is missing where the response states no scope, nor one that was granted by another name, is
    implied by one that was (`implied_scopes`), or is proven by what was issued. `granted_before` is
    what a renewal begins from: its answer may lack the id_token (OpenID Connect Core section 12.2).
    """
    if tokens.scope is None:
        return []
    stated = {*tokens.scope.split(), *_find_proven(provider, tokens, granted_before)}
    granted = _with_implied(stated, provider.implied_scopes)
    return [
        scope
        for scope in asked_scope.split()
        if scope.casefold() not in granted
        and provider.scope_aliases.get(scope, scope).casefold() not in granted
        and not (granted and scope.endswith(_DEFAULT))
    ]


def _find_proven(provider: Provider, tokens: TokenResponse, granted_before: str) -> Iterator[str]:
    """Yield the scopes that some providers leave out, and that other members show as granted."""
    if tokens.id_token is not None or "openid" in granted_before.split():
        yield "openid"
    if tokens.refresh_token is not None:
        yield _OFFLINE_ACCESS
        if provider.offline_scope is not None:
            yield provider.offline_scope


def _with_implied(
    scopes: Iterable[str], implied_scopes: Mapping[str, Sequence[str]]
) -> frozenset[str]:
    """Return scopes with all that they imply, in lower case: some providers mind no case."""
    found = new = {scope.casefold() for scope in scopes}
    for _ in range(_MAX_STEPS):
        new = {implied for scope in new for implied in _list_implied(scope, implied_scopes)} - found
        found = found | new
    return frozenset(found)


def _list_implied(scope: str, implied_scopes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the scopes that one implies directly; `*` stands for the same text in both."""
    for pattern, implied in implied_scopes.items():
        start, star, end = pattern.casefold().partition("*")
        length = len(scope) - len(start) - len(end)
        if star and length > 0 and scope.startswith(start) and scope.endswith(end):
            same = scope[len(start) : len(start) + length]
            yield from (name.casefold().replace("*", same) for name in implied)
        elif scope == start and not star:
            yield from (name.casefold() for name in implied)
