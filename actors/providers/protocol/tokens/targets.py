"""Targets of tokens: resource indicators (RFC 8707) and scopes, as requests carry them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from actors.providers.protocol.provider import Provider

#: How many resources or audiences one request may name, and the characters of each.
MAX_TARGETS: Final = 8
MAX_TARGET_LENGTH: Final = 1024
#: An absolute URI (RFC 3986 section 4.3) without a fragment.
RESOURCE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-\"$-;=?-\[\]_a-z~%]+")
#: A logical name: anything that one line of a form can hold.
_AUDIENCE: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,1024}")
RESOURCE_SENTENCE: Final = (
    f"must be an absolute URI without a fragment (RFC 8707), or up to {MAX_TARGETS} of them"
)


def read_resources(value: object) -> list[str] | None:
    """Return the resources of one URI or several, each once; None where one of them is none."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list | tuple) or not 0 < len(values) <= MAX_TARGETS:
        return None
    if not all(isinstance(one, str) and is_resource(one) for one in values):
        return None
    return list(dict.fromkeys(values))


def is_resource(text: str) -> bool:
    """Return whether a text is an absolute URI without fragment and user (RFC 8707 section 2)."""
    if len(text) > MAX_TARGET_LENGTH or not RESOURCE.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    # A password in a URI would stand in events.
    return "@" not in parts.netloc


def is_audience(text: str) -> bool:
    """Return whether a text can be the name of a service (RFC 8693 section 2.1)."""
    return bool(_AUDIENCE.fullmatch(text))


@dataclass(frozen=True, slots=True)
class Target:
    """What a token is asked for: a scope, and where it is to be used. All in order, each once."""

    scopes: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    audiences: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[str]]:
        """Return it as JSON has it, without what is not asked for."""
        named = {
            "scope": self.scopes,
            "resource": self.resources,
            "audience": self.audiences,
        }
        return {name: list(values) for name, values in named.items() if values}


def write_target(provider: Provider, target: Target) -> dict[str, str | list[str]]:
    """Return the parameters of a token request (RFC 8693 section 2.1, RFC 8707 section 2.2)."""
    asked: dict[str, str | list[str]] = {}
    if target.scopes:
        asked["scope"] = provider.scope_separator.join(target.scopes)
    for name, values in (("resource", target.resources), ("audience", target.audiences)):
        if values:
            asked[name] = values[0] if len(values) == 1 else list(values)
    return asked


def write_resources(provider: Provider, resources: Sequence[str]) -> dict[str, str | list[str]]:
    """Return the parameter of a token request (RFC 8707 section 2.2); nothing for no resource.

    A provider with `single_resource_tokens` refuses several at once: it is asked for the first.
    """
    if not resources:
        return {}
    if provider.single_resource_tokens or len(resources) == 1:
        return {"resource": resources[0]}
    return {"resource": list(resources)}
