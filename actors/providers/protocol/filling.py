"""Filled-in providers: a connection's variables and its token answer's members in their URLs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from actors.providers.errors import ProviderMisbehaved
from actors.providers.http.members import find_at
from actors.providers.protocol.provider import Provider, TokenExchange
from actors.providers.templates.places import (
    MEMBER_PREFIX,
    PLACEHOLDER,
    Place,
    fill,
    list_placeholders,
    write_member,
)
from actors.providers.templates.rules import check_variables

#: The URLs that are asked once a token answer is known.
MEMBER_FIELDS: Final = (
    *("refresh_endpoint", "userinfo_endpoint", "emails_endpoint", "revocation_endpoint"),
)
#: All URLs that variables fill in.
URL_FIELDS: Final = (
    *("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"),
    *("check_endpoint", "installation_token_endpoint", "client_assertion_audience"),
    "device_authorization_endpoint",
    *MEMBER_FIELDS,
)
_TEXT_FIELDS: Final = (
    *("authorization_parameters", "token_parameters", "refresh_parameters", "token_headers"),
    *("device_authorization_parameters", "userinfo_headers"),
)
_EXCHANGES: Final = ("long_lived_token", "renewal_exchange")


def read_variables(provider: Provider, given: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return the variables of a request, checked, as they are stored; None where there are none.

    Raises:
        VariablesInvalid: One is missing, unknown, or not what the provider's settings allow.
    """
    exchanges: list[TokenExchange | None] = [getattr(provider, name) for name in _EXCHANGES]
    urls = [getattr(provider, name) for name in URL_FIELDS]
    urls += [it.endpoint for it in exchanges if it is not None]
    return check_variables(provider.variables, list(filter(None, urls)), given)


def read_variables_by_settings(
    settings: Mapping[str, Any], given: Mapping[str, str] | None
) -> dict[str, str] | None:
    """Do the same with the settings of a provider that need not be ready for requests.

    Raises:
        VariablesInvalid: As `read_variables`.
    """
    exchange = (settings.get("long_lived_token") or {}).get("endpoint")
    urls = [*map(settings.get, URL_FIELDS), exchange]
    return check_variables(settings.get("variables") or {}, list(filter(None, urls)), given)


def fill_request(provider: Provider, given: Mapping[str, str] | None) -> Provider:
    """Return a provider as a request has it that brings its own variables, with a token or none.

    Raises:
        VariablesInvalid: One is missing, unknown, or not what the provider's settings allow.
    """
    return fill_variables(provider, read_variables(provider, given))


def fill_connection(
    provider: Provider, variables: Mapping[str, str] | None, answer: Mapping[str, Any] | None
) -> Provider:
    """Return a provider as a connection has it, by its variables and the kept members.

    Raises:
        VariablesInvalid: A variable is missing, or is not what the settings allow now.
    """
    return fill_members(fill_variables(provider, variables), answer)


def fill_variables(provider: Provider, given: Mapping[str, str] | None) -> Provider:
    """Return a provider whose URLs, parameters and headers have a connection's variables.

    They are checked once more, as the settings may have changed since. One that is no variable of
    the provider any more is left out.

    Raises:
        VariablesInvalid: One is missing, or is not what the settings allow now.
    """
    if not provider.variables:
        return provider
    known = {name: it for name, it in (given or {}).items() if name in provider.variables}
    values = read_variables(provider, known) or {}
    urls = {name: _fill(getattr(provider, name), values) for name in URL_FIELDS}
    texts = {name: _fill_all(getattr(provider, name), values) for name in _TEXT_FIELDS}
    exchanges = {name: _fill_exchange(getattr(provider, name), values) for name in _EXCHANGES}
    scopes: Any = tuple(_fill(scope, values) for scope in provider.scopes)
    return replace(provider, **urls, **texts, **exchanges, scopes=scopes)


def _fill(text: str | None, values: Mapping[str, str]) -> Any:
    return text and fill(text, lambda name, _place: values.get(name))


def _fill_all(texts: Mapping[str, str], values: Mapping[str, str]) -> Any:
    return {name: _fill(text, values) for name, text in texts.items()}


def _fill_exchange(exchange: TokenExchange | None, values: Mapping[str, str]) -> Any:
    if exchange is None:
        return None
    parameters = exchange.parameters and _fill_all(exchange.parameters, values)
    return replace(exchange, endpoint=_fill(exchange.endpoint, values), parameters=parameters)


def fill_members(provider: Provider, answer: Mapping[str, Any] | None) -> Provider:
    """Return a provider whose URLs have the kept members of a token answer.

    A URL whose member is not known stays as it is: `check_filled` says so when it is to be asked.
    """
    members = answer or {}

    def look_up(name: str, place: Place) -> str | None:
        if not name.startswith(MEMBER_PREFIX):
            return None
        return write_member(find_at(members, name.removeprefix(MEMBER_PREFIX)), place)

    urls = {name: getattr(provider, name) for name in MEMBER_FIELDS}
    changes: dict[str, Any] = {
        name: fill(url, look_up) for name, url in urls.items() if url and "{token." in url
    }
    return replace(provider, **changes) if changes else provider


def check_filled(url: str, setting: str) -> str:
    """Return the URL of a setting if no member of the token answer is left to fill in.

    Raises:
        ProviderMisbehaved: One is missing, or may not stand where it is named.
    """
    if names := [it for it in PLACEHOLDER.findall(url) if it.startswith(MEMBER_PREFIX)]:
        missing = names[0].removeprefix(MEMBER_PREFIX)
        raise ProviderMisbehaved(f"The token answer has no {missing} that {setting} could use.")
    return url


def list_members(provider: Provider, *places: Place) -> list[str]:
    """Return the members of token answers that URLs are filled in with, at these places or at all.

    They are kept as metadata, whatever the provider's list of those says.
    """
    urls = [url for name in MEMBER_FIELDS if (url := getattr(provider, name))]
    return [
        it.name.removeprefix(MEMBER_PREFIX)
        for url in urls
        if "{token." in url
        for it in list_placeholders(url)
        if it.name.startswith(MEMBER_PREFIX) and (not places or it.place in places)
    ]
