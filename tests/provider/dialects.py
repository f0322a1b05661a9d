"""Dialects of providers: how one wants to be asked, and refuses to be asked in any other way."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.provider.grants import Refused
from tests.provider.server import Request

_STANDARD: Final = {
    *("grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret"),
    *("refresh_token", "fb_exchange_token", "client_assertion", "client_assertion_type"),
    *("resource", "device_code"),
}
_MEDIA_TYPES: Final = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


def _leave(members: dict[str, Any]) -> dict[str, Any]:
    return members


@dataclass(frozen=True)
class Dialect:
    """What a provider has instead of RFC 6749; all else is answered with invalid_request."""

    format: str = "form"
    method: str = "POST"
    #: The provider's names of parameters, by the standard's; "" is a parameter that it refuses.
    names: Mapping[str, str] = field(default_factory=dict)
    #: What the token request of a code has to hold besides, and that of a renewal.
    parameters: Mapping[str, str] = field(default_factory=dict)
    refresh_parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: What the provider knows without being told.
    implied: Mapping[str, str] = field(default_factory=dict)
    #: Where alone renewals are answered.
    refresh_path: str = "/token"
    #: The provider's names of authorization parameters, and of those of the callback.
    authorization_names: Mapping[str, str] = field(default_factory=dict)
    callback_names: Mapping[str, str] = field(default_factory=dict)
    #: What the browser brings besides.
    callback: Mapping[str, str] = field(default_factory=dict)
    response_type: str = "code"
    #: Makes the provider's token answer of a standard one.
    answer: Callable[[dict[str, Any]], dict[str, Any]] = _leave

    def read_authorization(self, request: Request) -> dict[str, str]:
        """Return the parameters of an authorization request by the standard's names."""
        return _rename(request.query, self.authorization_names)

    def write_callback(self, answer: Mapping[str, str]) -> dict[str, str]:
        """Return the parameters of a callback by the provider's names."""
        named = {self.callback_names.get(name, name): it for name, it in answer.items()}
        return {**named, **self.callback}

    def read_token_request(self, request: Request) -> Request:
        """Return a token request as RFC 6749 has it."""
        asked = dict(self._read_parameters(request))
        is_renewal = self.names.get("refresh_token", "refresh_token") in asked
        further = self.refresh_parameters if is_renewal else self.parameters
        for name, value in further.items():
            if asked.pop(name, None) != value:
                raise Refused("invalid_request")
        if any(request.headers.get(name) != value for name, value in self.headers.items()):
            raise Refused("invalid_request")
        if is_renewal != (request.path == self.refresh_path) and self.refresh_path != "/token":
            raise Refused("invalid_request")
        form = _rename(asked, self.names)
        if not form.keys() <= _STANDARD:
            raise Refused("invalid_request")
        default = "refresh_token" if is_renewal else "authorization_code"
        is_own = "grant_type" in further or self.names.get("grant_type") == ""
        known = {**self.implied, **({"grant_type": default} if is_own else {})}
        return replace(request, form={**form, **known})

    def _read_parameters(self, request: Request) -> Mapping[str, str]:
        if request.method != self.method:
            raise Refused("invalid_request")
        if self.format == "query":
            if request.body or "content-type" in request.headers:
                raise Refused("invalid_request")
            return request.query
        if request.query or request.headers.get("content-type") != _MEDIA_TYPES[self.format]:
            raise Refused("invalid_request")
        return request.form if self.format == "form" else dict(json.loads(request.body))


@dataclass(frozen=True)
class Exchange:
    """An exchange of an access token for a longer-lived one that a provider has."""

    path: str
    method: str
    grant_type: str
    token_parameter: str = "access_token"
    #: What the request has to hold besides, and nothing else.
    parameters: Mapping[str, str] = field(default_factory=dict)

    def read_token(self, request: Request) -> str:
        """Return the access token that a request shows."""
        asked = dict(request.query if self.method == "GET" else request.form)
        token = asked.pop(self.token_parameter, None)
        if token is None or asked != {"grant_type": self.grant_type, **self.parameters}:
            raise Refused("invalid_request")
        if request.method != self.method or "authorization" in request.headers:
            raise Refused("invalid_request")
        return token


def _rename(asked: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Return parameters by the standard's names; one under a name that is not meant is refused."""
    standard = {own: name for name, own in names.items() if own}
    if any(name in asked and name not in standard for name in names):
        raise Refused("invalid_request")
    return {standard.get(name, name): value for name, value in asked.items()}
