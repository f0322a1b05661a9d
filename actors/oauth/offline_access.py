"""Offline access (OpenID Connect Core section 11): what a refresh token must be asked for by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import OFFLINE_ACCESS

_PROMPT: Final = "prompt"


def ask_for_offline_access(
    provider: Provider,
    scopes: Sequence[str],
    parameters: Mapping[str, str],
    *,
    requested: Mapping[str, str],
    is_wanted: bool | None,
) -> tuple[list[str], dict[str, str]]:
    """Return the scopes and parameters of a sign-in that is to last, or that is not.

    A sign-in that has the standard's scope in any case is asked to consent to it: without that a
    provider ignores the scope. What a preset knows better comes first.

    Args:
        provider: The provider.
        scopes: What the sign-in asks for otherwise.
        parameters: The parameters that it has by the provider's settings.
        requested: Those of the request, which come first. A prompt of it is never taken away.
        is_wanted: The wish of the request; None leaves it to the provider's `offline_access`.
            Then nothing is added unless the issuer publishes the scope.
    """
    whole = {**parameters, **requested}
    if provider.renewal != "refresh_token":
        return list(scopes), whole
    if is_wanted is None:
        is_wanted = provider.offline_access
        if is_wanted and not _knows_scope(provider, scopes):
            return list(scopes), whole
    if is_wanted:
        return _add(provider, scopes, whole)
    scopes, left = _remove(provider, scopes, parameters)
    return scopes, {**left, **requested}


def _knows_scope(provider: Provider, scopes: Sequence[str]) -> bool:
    """Return whether the issuer publishes the scope, or an operator or an app lists it."""
    return provider.publishes_offline_access or _lists_standard_scope(provider, scopes)


def _lists_standard_scope(provider: Provider, scopes: Sequence[str]) -> bool:
    is_openid = provider.issuer is not None and "openid" in scopes
    return is_openid and provider.offline_scope is None and OFFLINE_ACCESS in scopes


def _add(
    provider: Provider, scopes: Sequence[str], parameters: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    scope, offline_parameters = provider.offline_scope, provider.offline_parameters
    if _lists_standard_scope(provider, scopes) and not offline_parameters:
        offline_parameters = {_PROMPT: "consent"}
    if provider.publishes_offline_access and "openid" not in scopes:
        # Core defines the scope for requests of OpenID Connect alone.
        return list(scopes), dict(parameters)
    asked = {**offline_parameters, **parameters}
    prompts = parameters.get(_PROMPT, "").split()
    if _PROMPT in offline_parameters and "none" not in prompts:
        wanted = [*prompts, *offline_parameters[_PROMPT].split()]
        asked[_PROMPT] = " ".join(dict.fromkeys(wanted))
    added = [scope] if scope is not None and scope not in scopes else []
    return [*scopes, *added], asked


def _remove(
    provider: Provider, scopes: Sequence[str], parameters: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Leave out what serves a lasting connection alone, so that no user is prompted for it."""
    asked = {
        name: value
        for name, value in parameters.items()
        if name == _PROMPT or provider.offline_parameters.get(name) != value
    }
    needless = provider.offline_parameters.get(_PROMPT, "").split()
    prompts = [prompt for prompt in asked.pop(_PROMPT, "").split() if prompt not in needless]
    if prompts:
        asked[_PROMPT] = " ".join(prompts)
    needless_scopes = (provider.offline_scope, OFFLINE_ACCESS)
    return [scope for scope in scopes if scope not in needless_scopes], asked
