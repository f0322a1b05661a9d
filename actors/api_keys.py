"""API keys: made at random, shown once, and known afterwards by their SHA-256 alone."""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeAlias, TypedDict, Unpack, get_args

from actors.apps.settings import read_app_settings
from actors.errors import AuthError
from actors.events.audit import record
from actors.events.kinds import EventKind
from catfeeder.clock import rfc3339
from catfeeder.queue.requester import DEFAULT_APP, act_for, visible_app
from catfeeder.results import Time
from models.api_keys import TAB_API_KEYS
from models.db.database import hold_connection, transaction
from models.db.errors import DatabaseUnreachable

_LOG = logging.getLogger(__name__)
#: What a key may allow. `admin` includes the others.
ScopeName: TypeAlias = Literal[
    "jobs", "connections:read", "tokens:read", "console:read", "metrics", "admin"
]
#: The scopes of an operator: each shows every app.
OPERATOR_SCOPES: Final = ("console:read", "metrics", "admin")
SCOPES: Final[tuple[str, ...]] = get_args(ScopeName)
#: By this, secret scanners recognise a key of ours in a log or a repository.
_PREFIX: Final = "cfk"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(f"{_PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_[A-Za-z0-9_-]{{43}}")
_ID: Final = re.compile(f"[0-9a-f]{{{2 * _ID_BYTES}}}")
#: Without control characters, which a terminal would obey.
_NAME: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,255}")
_MAX_REQUESTS_PER_MINUTE: Final = 1_000_000
#: A key for longer than this should have no end.
_MAX_LIFETIME: Final = timedelta(days=3650)
#: All processes together write the last use of a key about so often.
_USE_INTERVAL: Final = timedelta(minutes=1)


class ApiKeyUnknown(AuthError):
    """Raised on revoking a key."""

    message = "There is no API key of that id, or it was revoked before."


class ApiKeyInvalid(AuthError):
    """Raised on making a key; `fields` has a sentence for each parameter that cannot be used."""

    message = "The API key cannot be made as it was asked for."

    def __init__(self, fields: Mapping[str, str]) -> None:
        problems = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
        super().__init__(f"The API key cannot be made: {problems}.")
        self.fields = dict(fields)


class KeyTerms(TypedDict):
    """What a new key is called, may do, and for how long; None is without an end."""

    name: str
    scopes: Sequence[str]
    requests_per_minute: int
    expires_at: datetime | None


class ApiKey(TypedDict):
    """A key without its text; times are RFC 3339."""

    id: Annotated[str, "What events and `DELETE` name it by."]
    app: Annotated[str, "The app that it acts for."]
    name: str
    scopes: list[Annotated[str, ScopeName]]
    requests_per_minute: int
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    last_used_at: Annotated[Time | None, "Noted once a minute at most; null for never."]


class MadeApiKey(ApiKey):
    """A new key with its text."""

    key: Annotated[str, "The key itself: keep it now, it is never shown again."]


class ApiKeyList(TypedDict):
    """All keys, oldest first, those that serve no more included."""

    items: list[ApiKey]


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """The caller behind a key: the key's id, its scopes, its rate and its end."""

    key_id: str
    scopes: frozenset[str]
    requests_per_minute: int
    expires_at: datetime | None = None
    app: str = DEFAULT_APP
    app_requests_per_minute: int | None = None
    maximum_rounds: int | None = None


def make_api_key(*, app: str = DEFAULT_APP, now: datetime, **terms: Unpack[KeyTerms]) -> MadeApiKey:
    """Make a key for an app, and return it with its text, which is never shown again.

    Raises:
        AppUnknown: There is no such app.
        ApiKeyInvalid: A value cannot be used.
    """
    read_app_settings(app)
    check_terms(app, terms, now)
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_urlsafe(_SECRET_BYTES)
    key = f"{_PREFIX}_{key_id}_{secret}"
    terms["scopes"] = [scope for scope in SCOPES if scope in terms["scopes"]]
    with transaction():
        with act_for(app):
            record(EventKind.API_KEY_CREATED, now=now, key=key_id, scopes=terms["scopes"])
        row = TAB_API_KEYS.add(key_id=key_id, app=app, key_hash=_hash(key), now=now, **terms)
    return {**_describe(row), "key": key}


def check_terms(app: str, terms: KeyTerms, now: datetime) -> None:
    """Check what an app's new key is to be.

    Raises:
        ApiKeyInvalid: A value cannot be used.
    """
    problems = {}
    if not _NAME.fullmatch(terms["name"]):
        problems["name"] = "must have 1 to 255 characters, none of them a control character"
    if not terms["scopes"] or not set(terms["scopes"]) <= set(SCOPES):
        problems["scopes"] = f"must be some of {', '.join(SCOPES)}"
    elif app != DEFAULT_APP and not set(terms["scopes"]).isdisjoint(OPERATOR_SCOPES):
        problems["scopes"] = f"{', '.join(OPERATOR_SCOPES)} are the operator's, and no app's"
    if not 1 <= terms["requests_per_minute"] <= _MAX_REQUESTS_PER_MINUTE:
        problems["requests_per_minute"] = f"must be 1 to {_MAX_REQUESTS_PER_MINUTE}"
    end = terms["expires_at"]
    if end is not None and not now < end <= now + _MAX_LIFETIME:
        problems["expires_at"] = "must be in the future, within ten years"
    if problems:
        raise ApiKeyInvalid(problems)


def has_form_of_key(text: str) -> bool:
    """Return whether a text has the form of our keys; any other text is none."""
    return _KEY.fullmatch(text) is not None


def find_holder(key: str, now: datetime) -> KeyHolder | None:
    """Return the holder of a key, and note its use; None if unknown, revoked or expired."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    with hold_connection():
        row = TAB_API_KEYS.find_valid(found[1], now)
    if row is None or not hmac.compare_digest(row.key_hash, _hash(key)):
        return None
    _note_use(row, now)
    settings = read_app_settings(row.app)
    return KeyHolder(
        row.id,
        _grant_scopes(row),
        row.requests_per_minute,
        row.expires_at,
        row.app,
        settings.get("requests_per_minute"),
        settings.get("maximum_rounds"),
    )


def _note_use(row: TAB_API_KEYS, now: datetime) -> None:
    """Write the time of a use once a minute; a database that takes no writes lets the key serve."""
    if row.last_used_at is not None and now < row.last_used_at + _USE_INTERVAL:
        return
    try:
        with hold_connection():
            row.note_use(now)
    except DatabaseUnreachable as error:
        _LOG.warning("The use of the API key %s is not noted: %s", row.id, error)


def _grant_scopes(row: TAB_API_KEYS) -> frozenset[str]:
    """Return the scopes of a key that its app may have."""
    if "admin" in row.scopes:
        return frozenset(SCOPES)
    allowed = read_app_settings(row.app).get("scopes", SCOPES)
    return frozenset(row.scopes) & {*allowed, *OPERATOR_SCOPES}


def list_api_keys() -> list[ApiKey]:
    """Return the acting app's keys, or all that are visible, oldest first, without their texts."""
    with hold_connection():
        return [_describe(row) for row in TAB_API_KEYS.list_all(visible_app())]


def revoke_api_key(key_id: str, now: datetime) -> None:
    """End a key at once.

    Raises:
        ApiKeyUnknown: There is no such key, or it was revoked before.
    """
    if not _ID.fullmatch(key_id):
        raise ApiKeyUnknown
    with transaction():
        if not TAB_API_KEYS.revoke(key_id, now, visible_app()):
            raise ApiKeyUnknown
        record(EventKind.API_KEY_REVOKED, now=now, key=key_id)


def _describe(row: TAB_API_KEYS) -> ApiKey:
    return {
        "id": row.id,
        "app": row.app,
        "name": row.name,
        "scopes": row.scopes,
        "requests_per_minute": row.requests_per_minute,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at),
        "revoked_at": rfc3339(row.revoked_at),
        "last_used_at": rfc3339(row.last_used_at),
    }


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
