"""Restoring of an app from its export: its settings, providers and keys, where they are not there.

An export is sealed for its recipient, and not signed: its text alone can make a key of this
service, so keys are restored on request only, and none that is the operator's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from actors.api_keys import KeyTerms, check_terms
from actors.apps.registration import change_app, create_app, describe_app
from actors.apps.settings import AppUnknown, forget_app_settings
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.moving.errors import ImportInvalid
from actors.moving.values import read_time
from actors.providers.config.lookup import find_credential, is_provider_name, provider_row
from actors.providers.config.settings import own_or_shared_key, put_provider
from catfeeder.queue.requester import DEFAULT_APP, act_for
from models.api_keys import TAB_API_KEYS
from models.db.database import hold_connection, transaction
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION

KINDS: Final = ("app", "provider", "api_key")
_KEY_ID: Final = re.compile("[0-9a-f]{12}")
_KEY_HASH: Final = re.compile("[0-9a-f]{64}")
_CREATED: Final = "created"
_KNOWN: Final = "known"


class ProviderDiffers(AuthError):
    """Raised for a provider of an export whose name another one has here."""

    message = (
        "There is a provider of that name with another client_id, which no refresh token of the "
        "export serves: rename it, or set the client_id of the export."
    )


class KeyNotRestored(AuthError):
    """Raised for a key of an export that cannot be one of this service."""

    message = "The key was not restored: an operator's key is made anew, and no id is used twice."


@dataclass(frozen=True, slots=True)
class Restoration:
    """What restores the records of an export that are no connections, for an app."""

    app: str
    now: datetime
    with_keys: bool = False

    def restore(self, members: Mapping[str, Any]) -> str:
        """Restore what a record says; return what came of it, such as `provider created`.

        Raises:
            AuthError: It cannot be restored; the sentence holds nothing of the file.
        """
        kinds: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "app": self._restore_app,
            "provider": self._restore_provider,
            "api_key": self._restore_key,
        }
        try:
            return kinds[members["kind"]](members)
        except (KeyError, TypeError, AttributeError):
            raise ImportInvalid("A member of it is missing, or is not what it has to be.") from None

    def _restore_app(self, members: Mapping[str, Any]) -> str:
        settings = dict(members["settings"])
        try:
            known = describe_app(self.app)
        except AppUnknown:
            create_app(self.app, str(members["name"]), settings, self.now)
            forget_app_settings()
            return _CREATED
        is_unset = not {*known} & settings.keys()
        if self.app == DEFAULT_APP and settings and is_unset:
            change_app(self.app, settings, self.now)
            return _CREATED
        return _KNOWN

    def _restore_provider(self, members: Mapping[str, Any]) -> str:
        name, settings = members["name"], dict(members["settings"])
        with act_for(DEFAULT_APP if members["is_shared"] is True else self.app):
            if (client := _find_client(name)) is None:
                put_provider(name, settings, self.now)
                return _CREATED
        if client != settings.get("client_id", ""):
            raise ProviderDiffers
        return _KNOWN

    def _restore_key(self, members: Mapping[str, Any]) -> str:
        if not self.with_keys:
            return "left out (--keys restores it)"
        expires_at = read_time("expires_at", members["expires_at"])
        terms: KeyTerms = {
            "name": members["name"],
            "scopes": list(members["scopes"]),
            "requests_per_minute": int(members["requests_per_minute"]),
            "expires_at": expires_at,
        }
        check_terms(self.app, terms, self.now)
        key_id, key_hash = members["id"], members["key_hash"]
        if not (_KEY_ID.fullmatch(key_id) and _KEY_HASH.fullmatch(key_hash)):
            raise KeyNotRestored
        with transaction():
            if (row := TAB_API_KEYS.get_or_none(TAB_API_KEYS.id == key_id)) is not None:
                return _check_same(row, self.app, key_hash)
            if "admin" in terms["scopes"]:
                raise KeyNotRestored
            with act_for(self.app):
                scopes = terms["scopes"]
                record(EventKind.API_KEY_CREATED, now=self.now, key=key_id, scopes=scopes)
            TAB_API_KEYS.add(key_id=key_id, app=self.app, key_hash=key_hash, now=self.now, **terms)
        return _CREATED


def _check_same(row: TAB_API_KEYS, app: str, key_hash: str) -> str:
    if (row.app, row.key_hash) != (app, key_hash):
        raise KeyNotRestored
    return _KNOWN


def _find_client(name: str) -> str | None:
    """Return the client of the acting app's provider of that name; None where that is not set up.

    One without a client at all has an empty one.
    """
    if not isinstance(name, str) or not is_provider_name(name):
        raise ImportInvalid("No provider can have the name that it has.")
    key = own_or_shared_key(name)
    with hold_connection():
        if TAB_USER_OAUTH_CONNECTION.find(key) is None:
            return None
        row = provider_row(key)
    client = row.client_id or find_credential(key, "CLIENT_ID")
    is_empty = not client and not row.metadata
    return None if is_empty else client or ""
