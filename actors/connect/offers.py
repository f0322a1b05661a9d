"""Offers: the providers that a page shows, each with the ways in which accounts are connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from actors.apps.settings import read_app_settings
from actors.connect.variables import Variable, list_variables
from actors.providers.catalogue.search import find_title
from actors.providers.config.lookup import find_provider, merge_metadata, provider_row
from actors.providers.errors import (
    DiscoveryNeeded,
    ProviderNotConfigured,
    ProviderTampered,
    ProviderUnknown,
)
from actors.providers.protocol.provider import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE
from catfeeder.queue.requester import acting_app
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, public_name

#: A page with more would be no choice: an app names the providers.
_MAX_OFFERS: Final = 100


class Way(StrEnum):
    """A way to connect an account."""

    SIGN_IN = "sign_in"
    DEVICE = "device"
    API_KEY = "api_key"
    BASIC = "basic"
    CLIENT = "client_credentials"


#: What a form of credentials asks for, in the words of `POST /v1/connections`.
MEMBERS: Final[Mapping[Way, tuple[str, ...]]] = {
    Way.API_KEY: ("api_key",),
    Way.BASIC: ("username", "password"),
    Way.CLIENT: ("client_id", "client_secret"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider as the page offers it."""

    name: str
    title: str
    preset: str
    ways: Sequence[Way]
    has_issuer: bool
    variables: Sequence[Variable] = field(default=())

    @property
    def has_sign_in(self) -> bool:
        """Whether its accounts are connected by a sign-in in this browser."""
        return Way.SIGN_IN in self.ways

    def keep_sign_in(self) -> Offer:
        """Return the offer without any other way."""
        return replace(self, ways=(Way.SIGN_IN,))

    @property
    def credentials(self) -> Way | None:
        """The kind of credentials that a form asks for; None where no form does."""
        return next((way for way in self.ways if way in MEMBERS), None)


class _Version(NamedTuple):
    """A row as it was at a time: what is written anew has other times."""

    key: str
    updated_at: datetime
    discovered_at: datetime | None


#: The offers that this process has read; None for those without credentials. A page has many, and
#: presets are parsed for each.
_usable: Final[dict[_Version, Offer | None]] = {}
_MAX_KEPT: Final = 1000


def list_offers(names: Sequence[str] | None) -> list[Offer]:
    """Return the offers of these providers, or of all that the acting app may use.

    One that cannot be used, such as for want of its credentials, is left out.
    """
    with hold_connection():
        rows = _list_rows() if names is None else filter(None, map(_find_row, names))
        found = map(_read_if_usable, rows)
        return [offer for offer in found if offer is not None and offer.ways][:_MAX_OFFERS]


def read_offer(name: str) -> Offer:
    """Return the offer of a provider, whether it has its credentials or not.

    Raises:
        ProviderUnknown, ProviderTampered: As `provider_row`.
    """
    return _describe(provider_row(name))


def _find_row(name: str) -> TAB_USER_OAUTH_CONNECTION | None:
    try:
        return provider_row(name)
    except (ProviderUnknown, ProviderTampered):
        return None


def _read_if_usable(row: TAB_USER_OAUTH_CONNECTION) -> Offer | None:
    version = _Version(row.name, row.updated_at, row.discovered_at)
    if version not in _usable:
        if len(_usable) >= _MAX_KEPT:
            _usable.clear()
        _usable[version] = _describe(row) if _has_credentials(row.name) else None
    return _usable[version]


def _has_credentials(key: str) -> bool:
    try:
        find_provider(key)
    except DiscoveryNeeded:
        return True
    except (ProviderUnknown, ProviderTampered, ProviderNotConfigured):
        return False
    return True


def _describe(row: TAB_USER_OAUTH_CONNECTION) -> Offer:
    settings = merge_metadata(row)
    return Offer(
        name=public_name(row.name),
        title=_find_title(row),
        preset=row.preset or "",
        ways=_list_ways(settings),
        has_issuer="issuer" in settings,
        variables=[*list_variables(settings)],
    )


def _find_title(row: TAB_USER_OAUTH_CONNECTION) -> str:
    """Return what people call a provider: as its preset does, unless the operator calls it else."""
    name = public_name(row.name)
    return find_title(row.preset or name) if row.preset in (None, name) else _title_of_own(row)


def _title_of_own(row: TAB_USER_OAUTH_CONNECTION) -> str:
    return f"{find_title(row.preset or '')} ({public_name(row.name)})"


def _list_rows() -> list[TAB_USER_OAUTH_CONNECTION]:
    """Return the acting app's own providers and the shared ones that it may use, by name."""
    app = acting_app.get()
    shared = read_app_settings(app).get("providers")
    rows = TAB_USER_OAUTH_CONNECTION.list_all()
    usable = {row.name: row for row in rows if row.app is None}
    if shared is not None:
        usable = {name: row for name, row in usable.items() if name in shared}
    usable |= {public_name(row.name): row for row in rows if row.app == app}
    return [row for _, row in sorted(usable.items())]


def _list_ways(settings: Mapping[str, Any]) -> list[Way]:
    kind = settings.get("credential_type", "oauth2")
    if kind != "oauth2":
        return [Way(kind)]
    grants = settings.get("grant_types") or (AUTHORIZATION_CODE,)
    known = {AUTHORIZATION_CODE: Way.SIGN_IN, DEVICE_CODE: Way.DEVICE}
    ways = [way for grant, way in known.items() if grant in grants]
    # With the clients of many users, each has an account of its own there.
    return ways or ([Way.CLIENT] if CLIENT_CREDENTIALS in grants else [])
