"""Offers: the providers that a page shows, each with the ways in which accounts are connected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from actors.app_settings import read_app_settings
from actors.errors import (
    DiscoveryNeeded,
    ProviderNotConfigured,
    ProviderTampered,
    ProviderUnknown,
)
from actors.providers.catalogue.search import find_title
from actors.providers.config.lookup import find_provider, merge_metadata, provider_row
from actors.providers.protocol.filling import URL_FIELDS
from actors.providers.protocol.provider import AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE
from actors.providers.templates.places import (
    MAX_VALUE_LENGTH,
    PLACEHOLDER,
    Place,
    list_placeholders,
)
from actors.providers.templates.rules import Rule
from catfeeder.queue.requester import acting_app
from models.db.database import hold_connection
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION, public_name

#: A page with more would be no choice: an app names the providers.
_MAX_OFFERS: Final = 100
#: What people type at the place of a variable, where its own rule is a pattern.
_LABEL_PATTERN: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_SEGMENT_PATTERN: Final = r"[A-Za-z0-9_~-]+(\.[A-Za-z0-9_~-]+)*"


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
class Variable:
    """A variable that the user fills in: the patterns that its value meets, or its values."""

    name: str
    patterns: Sequence[str]
    values: Sequence[str]
    #: A URL that it is a part of, as far as people know it, such as https://{subdomain}.example.
    example: str
    #: Hosts do not tell small letters from capitals.
    is_of_host: bool = False


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


def list_offers(names: Sequence[str] | None) -> list[Offer]:
    """Return the offers of these providers, or of all that the acting app may use.

    One that cannot be used, such as for want of its credentials, is left out.
    """
    with hold_connection():
        wanted = _list_usable() if names is None else names
        found = (_read_if_usable(name) for name in wanted)
        return [offer for offer in found if offer is not None and offer.ways][:_MAX_OFFERS]


def read_offer(name: str) -> Offer:
    """Return the offer of a provider, whether it has its credentials or not.

    Raises:
        ProviderUnknown, ProviderTampered: As `provider_row`.
    """
    row = provider_row(name)
    settings = merge_metadata(row)
    return Offer(
        name=public_name(row.name),
        title=_find_title(row),
        preset=row.preset or "",
        ways=_list_ways(settings),
        has_issuer="issuer" in settings,
        variables=[*_list_variables(settings)],
    )


def _read_if_usable(name: str) -> Offer | None:
    try:
        find_provider(name)
    except DiscoveryNeeded:
        pass
    except (ProviderUnknown, ProviderTampered, ProviderNotConfigured):
        return None
    return read_offer(name)


def _find_title(row: TAB_USER_OAUTH_CONNECTION) -> str:
    """Return what people call a provider: as its preset does, unless the operator calls it else."""
    name = public_name(row.name)
    return find_title(row.preset or name) if row.preset in (None, name) else _title_of_own(row)


def _title_of_own(row: TAB_USER_OAUTH_CONNECTION) -> str:
    return f"{find_title(row.preset or '')} ({public_name(row.name)})"


def _list_usable() -> list[str]:
    """Return the names of the acting app's own providers and of the shared ones, in order."""
    app = acting_app.get()
    shared = read_app_settings(app).get("providers")
    rows = TAB_USER_OAUTH_CONNECTION.list_all()
    names = {
        public_name(row.name)
        for row in rows
        if row.app == app or (row.app is None and (shared is None or row.name in shared))
    }
    return sorted(names)


def _list_ways(settings: Mapping[str, Any]) -> list[Way]:
    kind = settings.get("credential_type", "oauth2")
    if kind != "oauth2":
        return [Way(kind)]
    grants = settings.get("grant_types") or (AUTHORIZATION_CODE,)
    known = {AUTHORIZATION_CODE: Way.SIGN_IN, DEVICE_CODE: Way.DEVICE}
    ways = [way for grant, way in known.items() if grant in grants]
    # With the clients of many users, each has an account of its own there.
    return ways or ([Way.CLIENT] if CLIENT_CREDENTIALS in grants else [])


def _list_variables(settings: Mapping[str, Any]) -> Iterator[Variable]:
    urls = [str(url) for name in URL_FIELDS if (url := settings.get(name))]
    for name, rule in (settings.get("variables") or {}).items():
        yield _describe_variable(name, rule, urls)


def _describe_variable(name: str, rule: Rule, urls: Sequence[str]) -> Variable:
    url = next((url for url in urls if f"{{{name}}}" in url), "")
    if not isinstance(rule, str):
        return Variable(name, (), tuple(rule), _shorten(url, name))
    is_label = any(it == (name, Place.LABEL) for one in urls for it in list_placeholders(one))
    place = _LABEL_PATTERN if is_label else _SEGMENT_PATTERN
    length = f".{{1,{MAX_VALUE_LENGTH}}}"
    return Variable(name, (rule, place, length), (), _shorten(url, name), is_label)


def _shorten(url: str, name: str) -> str:
    """Return a URL up to the part that a variable stands in, and nothing with other ones."""
    start = url.find(f"{{{name}}}")
    end = len(url) if (slash := url.find("/", max(start, len("https://")))) < 0 else slash
    shown = url[:end]
    return shown if [*PLACEHOLDER.findall(shown)] == [name] else ""
