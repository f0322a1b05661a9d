"""Full-text search of the catalogue: each word of a query is a part of a preset's name or title."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from actors.errors import CursorInvalid
from actors.providers.catalogue.presets import describe_origin, find_preset, read_all
from actors.providers.protocol.provider_builder import list_needed_endpoints, needs_base_url
from catfeeder.results import CatalogueEntry, CataloguePage
from config import credential_variable

#: Titles of presets that presets.toml has and the catalogue has not.
_OWN_TITLES: Final = {"slack_app": "Slack, for apps that are installed in a workspace"}


class _Indexed(NamedTuple):
    """What is searched, of one preset."""

    name: str
    text: str


def search_catalogue(query: str = "", limit: int = 50, cursor: str | None = None) -> CataloguePage:
    """Return a page of the presets that a query finds, by name.

    Raises:
        CursorInvalid: `cursor` is none of ours.
    """
    after = "" if cursor is None else _decode(cursor)
    words = query.lower().split()
    found = [
        one.name
        for one in _read_index()
        if one.name > after and all(word in one.text for word in words)
    ]
    page = found[:limit]
    is_last = len(found) <= limit
    return {
        "items": [_describe(name) for name in page],
        "next_cursor": None if is_last else _encode(page[-1]),
    }


@lru_cache(maxsize=1)
def _read_index() -> tuple[_Indexed, ...]:
    """Return the names and titles of all presets, which are small; their settings are not kept."""
    return tuple(
        _Indexed(name, f"{name} {title_of(name, about)}".lower()) for name, _, about in read_all()
    )


def find_title(name: str) -> str:
    """Return what people call the provider of a name: as its preset does, else the name itself."""
    if find_preset(name) is None:
        return name
    return title_of(name, describe_origin(name))


def title_of(name: str, about: Mapping[str, Any]) -> str:
    """Return what a provider is called."""
    return str(about.get("title") or _OWN_TITLES.get(name, name))


def _describe(name: str) -> CatalogueEntry:
    about, preset = describe_origin(name), find_preset(name) or {}
    return {
        "preset": name,
        "title": title_of(name, about),
        "environment": [credential_variable(name, part) for part in ("CLIENT_ID", "CLIENT_SECRET")],
        "needs": list(needs_of(preset)),
        "variables": dict(preset.get("variables", {})),
        "identity": str(preset.get("identity", "userinfo")),
        "scopes": list(preset.get("scopes", ())),
        "stated_by": list(about.get("stated_by", ())),
        "disagreements": len(about.get("disagreements", ())),
        "tried": bool(about.get("tried", False)),
    }


def needs_of(preset: Mapping[str, Any]) -> Iterator[str]:
    """Yield the settings that an operator has to give beside the credentials."""
    if needs_base_url(preset) and "base_url" not in preset:
        yield "base_url"
    if "issuer" not in preset:
        yield from (name for name in list_needed_endpoints(preset) if name not in preset)
    match preset.get("token_endpoint_auth_method"):
        case "private_key_jwt":
            yield "private_key"
        case "apple_client_secret":
            yield from ("private_key", "key_id", "team_id")


def _encode(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _decode(cursor: str) -> str:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise CursorInvalid from None
