"""Preconditions of jobs: what would fail for certain is refused before a job is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from actors.apps.settings import AppUnknown, read_app_settings
from actors.connections.errors import ConnectionUnknown
from actors.connections.reading import find_connection
from actors.events.audit import EventPage, list_events
from actors.providers.config.breaker import check_not_paused
from actors.providers.config.lookup import merge_metadata, provider_row
from actors.providers.errors import ProviderTampered, ProviderUnknown
from actors.providers.protocol.filling import read_variables_by_settings
from actors.renewal.plan.listing import RenewalPage
from catfeeder.clock import utc_now
from catfeeder.queue.requester import is_app_id
from catfeeder.results import ConnectionPage
from models.oauth.providers import public_name

T = TypeVar("T", ConnectionPage, EventPage, RenewalPage)


def check_provider(provider: str) -> None:
    """Raise unless a provider exists.

    Raises:
        ProviderUnknown: It does not exist.
    """
    provider_row(provider)


def list_of_provider(list_page: Callable[..., T], *, provider: str | None, **query: Any) -> T:
    """Return a page of a list, whose emptiness says something of a provider that is known.

    One that was erased is known as long as there are events of it.

    Raises:
        ProviderUnknown: The page is empty, and there is no provider of that name.
    """
    page = list_page(provider=provider, **query)
    if provider is None or page["items"] or has_provider(provider):
        return page
    if not list_events(provider=provider, limit=1)["items"]:
        check_provider(provider)
    return page


def check_variables(provider: str, variables: Mapping[str, str] | None) -> None:
    """Raise unless a provider exists, and a request's variables fill in what its settings name.

    Raises:
        ProviderUnknown: It does not exist.
        VariablesInvalid: One is missing, unknown, or not what the settings allow.
    """
    read_variables_by_settings(merge_metadata(provider_row(provider)), variables)


def has_provider(provider: str) -> bool:
    """Return whether a provider exists, its row being ours or not."""
    try:
        provider_row(provider)
    except ProviderUnknown:
        return False
    except ProviderTampered:
        return True
    return True


def check_connection(connection_id: str, provider: str | None = None) -> str:
    """Return the app of a connection that exists, with this provider if one is given.

    Raises:
        ConnectionUnknown: It does not exist, or is one to another provider.
    """
    row = find_connection(connection_id)
    if provider is not None and public_name(row.provider) != provider:
        raise ConnectionUnknown
    return str(row.app)


def find_version_to_renew(connection_id: str) -> tuple[str, int]:
    """Return the app of a connection, and the version of its grant that is to be renewed.

    Raises:
        ConnectionUnknown: It does not exist.
        ProviderPaused: Its provider is not asked at the moment.
    """
    row = find_connection(connection_id)
    check_not_paused(row.provider, utc_now())
    return row.app, row.version


def check_login_allowed(app: str) -> str:
    """Return an app whose sign-ins a browser may begin without a key.

    Raises:
        AppUnknown: There is none of that id, or its `allow_login` is off.
    """
    if not is_app_id(app) or not read_app_settings(app).get("allow_login"):
        raise AppUnknown("No app of that id lets a browser begin a sign-in without a key.")
    return app
