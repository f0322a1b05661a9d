"""Token requests as a provider wants them: names, format, parameters and headers as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import requests

from actors.providers.http.forms import Format, Parameters, send_parameters
from actors.providers.http.members import find_at
from actors.providers.protocol.client_authentication.methods import authorization_of, secret_text
from actors.providers.protocol.filling import check_filled
from actors.providers.protocol.provider import Provider, TokenExchange
from actors.telemetry.provider_calls import ProviderCall
from catfeeder.sealing import Secret

#: What a setting holds in place of a value: a credential, or a kept member of the token answer.
_PLACEHOLDER: Final = re.compile(r"\{(client_id|client_secret|token\.[^{}]+)\}")
_NOTHING: Final[Mapping[str, Any]] = {}


def send_code(
    client: Provider, members: Parameters, repeated: Mapping[str, str]
) -> requests.Response:
    """Send the token request of a code (RFC 6749 section 4.1.3) and return the answer.

    `repeated` are parameters of the callback that the provider wants once more.

    Raises:
        ProviderUnreachable, ProviderMisbehaved, AddressForbidden: As `send_parameters`.
    """
    whole = _write(client, members, {**repeated, **fill(client, client.token_parameters)})
    return _send(client, "code", client.token_endpoint, whole)


def send_grant(client: Provider, members: Parameters) -> requests.Response:
    """Send a token request of another grant, without the parameters of codes; else as those."""
    return _send(client, "grant", client.token_endpoint, _write(client, members, {}))


def send_renewal(
    client: Provider, members: Parameters, metadata: Mapping[str, Any] = _NOTHING
) -> requests.Response:
    """Send the token request of a refresh token (RFC 6749 section 6); else as `send_code`.

    `metadata` is that of the connection, which `{token.member}` is taken from.
    """
    further = fill(client, client.refresh_parameters, metadata)
    whole = _write(client, members, further)
    url = check_filled(client.refresh_endpoint or client.token_endpoint, "refresh_endpoint")
    return _send(client, "refresh", url, whole)


def send_device_request(client: Provider, members: Mapping[str, str]) -> requests.Response:
    """Send a device authorization request (RFC 8628 section 3.1); else as `send_code`."""
    url = check_filled(client.device_authorization_endpoint or "", "device_authorization_endpoint")
    names = client.token_parameter_names
    named = {names.get(name, name): value for name, value in members.items()}
    named.pop("", None)
    whole = {**fill(client, client.device_authorization_parameters), **named}
    return _send(client, "device_authorization", url, whole)


def send_exchange(
    client: Provider,
    exchange: TokenExchange,
    access_token: Secret,
    credentials: Mapping[str, str],
    metadata: Mapping[str, Any] = _NOTHING,
) -> requests.Response:
    """Send an access token to be exchanged for a longer-lived one; else as `send_code`.

    With `parameters` of its own the request holds these alone beside the token, and no other proof
    of the client; without, the `credentials` of every token request.
    """
    members = {"grant_type": exchange.grant_type, exchange.token_parameter: access_token.reveal()}
    has_own = exchange.parameters is not None
    members |= fill(client, exchange.parameters or {}, metadata) if has_own else credentials
    with ProviderCall(client.name, "exchange"):
        return send_parameters(
            exchange.endpoint or client.token_endpoint,
            members,
            None if has_own else authorization_of(client),
            client.token_headers and fill(client, client.token_headers),
            method=exchange.method,
            encoding="query" if exchange.method == "GET" else _body_format(client),
            is_any_status=True,
        )


def _body_format(client: Provider) -> Format:
    return "json" if client.token_request_format == "json" else "form"


def _write(client: Provider, members: Parameters, further: Mapping[str, str]) -> Parameters:
    """Return the parameters by the provider's names; a further one replaces grant_type alone."""
    if further:
        members = {**members, "grant_type": further.get("grant_type", members["grant_type"])}
    names = client.token_parameter_names
    if names:
        named = ((names.get(name, name), value) for name, value in members.items())
        members = {name: value for name, value in named if name}
    return {**further, **members} if further else members


def _send(client: Provider, operation: str, url: str, parameters: Parameters) -> requests.Response:
    with ProviderCall(client.name, operation):
        return send_parameters(
            url,
            parameters,
            authorization_of(client),
            client.token_headers and fill(client, client.token_headers),
            method=client.token_request_method,
            encoding=client.token_request_format,
            is_any_status=True,
        )


def fill(
    client: Provider, texts: Mapping[str, str], metadata: Mapping[str, Any] = _NOTHING
) -> dict[str, str]:
    """Return texts with their placeholders filled in; without one whose member is not known.

    Raises:
        ProviderNotConfigured: The client secret is wanted, and there is none.
    """
    filled = {name: _fill_one(client, text, metadata) for name, text in texts.items()}
    return {name: text for name, text in filled.items() if text is not None}


def _fill_one(client: Provider, text: str, metadata: Mapping[str, Any]) -> str | None:
    if "{" not in text:
        return text
    values = {name: _look_up(client, name, metadata) for name in _PLACEHOLDER.findall(text)}
    if None in values.values():
        return None
    return _PLACEHOLDER.sub(lambda found: str(values[found[1]]), text)


def _look_up(client: Provider, name: str, metadata: Mapping[str, Any]) -> str | None:
    match name:
        case "client_id":
            return client.client_id
        case "client_secret":
            return secret_text(client)
    value = find_at(metadata, name.removeprefix("token."))
    is_plain = isinstance(value, str | int) and not isinstance(value, bool)
    return str(value) if is_plain else None
