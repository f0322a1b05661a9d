"""Connect sessions: links to the page where a user connects accounts, opened by one browser."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from actors.connect.errors import (
    ConnectLinkExpired,
    ConnectLinkTaken,
    ConnectLinkUnknown,
    ConnectSessionInvalid,
)
from actors.connect.offers import Offer, Way, read_offer
from actors.connections.reading import find_connection
from actors.events.audit import record
from actors.events.kinds import EventKind
from actors.oauth.sign_in import check_asked, check_return_to
from catfeeder.queue.requester import act_for, acting_app
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import transaction
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.providers import public_name

CONNECT_PATH: Final = "/connect"
_RANDOM_BYTES: Final = 32
_TOKEN: Final = re.compile("[A-Za-z0-9_-]{43}")
_ID: Final = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class ConnectWishes:
    """What an app asks of a session: for whom it is, what it offers, and where it leads back to."""

    subject: str | None = None
    connection_id: str | None = None
    providers: Sequence[str] | None = None
    return_to: str | None = None
    relay: bool = False


@dataclass(frozen=True, slots=True)
class ConnectLink:
    """The address of a page, which a user opens until `expires_at`."""

    url: str
    expires_at: datetime


def create_connect_session(wishes: ConnectWishes, now: datetime) -> ConnectLink:
    """Make a link to the page where a user connects accounts, or one connection anew.

    Raises:
        ConnectionUnknown: The acting app has no connection of that id.
        SubjectInvalid: `subject` has characters that cannot be stored.
        ProviderUnknown, ProviderTampered: One of `providers` cannot be offered.
        ConnectSessionInvalid: One of them is connected in no way that the page has.
        ReturnToForbidden: `return_to` leads to an origin that the app does not list.
    """
    if wishes.connection_id is None:
        return _create(wishes, now)
    row = find_connection(wishes.connection_id)
    about = None if row.subject else row.id
    with act_for(row.app):
        asked = ConnectWishes(
            subject=row.subject or None,
            connection_id=about,
            providers=[public_name(row.provider)],
            return_to=wishes.return_to,
            relay=wishes.relay,
        )
        return _create(asked, now)


def _create(wishes: ConnectWishes, now: datetime) -> ConnectLink:
    check_asked(wishes.subject, None)
    if wishes.return_to is not None:
        check_return_to(wishes.return_to)
    for name in wishes.providers or ():
        _check_offer(read_offer(name), wishes)
    token = Secret(secrets.token_urlsafe(_RANDOM_BYTES))
    expires_at = now + _lifetime()
    with transaction():
        TAB_CONNECT_SESSIONS.begin(
            token,
            now,
            app=acting_app.get(),
            subject=wishes.subject or "",
            providers=None if wishes.providers is None else [*dict.fromkeys(wishes.providers)],
            connection_id=wishes.connection_id,
            return_to=wishes.return_to,
            is_relayed=wishes.relay,
            expires_at=expires_at,
        )
        binding = {} if wishes.relay else {"unbound": True}
        kind = EventKind.CONNECT_SESSION_CREATED
        record(kind, now=now, subject=wishes.subject, **binding)
    query = urlencode({"link": token.reveal()})
    return ConnectLink(f"{find_public_origin()}{CONNECT_PATH}?{query}", expires_at)


def _check_offer(offer: Offer, wishes: ConnectWishes) -> None:
    if not offer.ways:
        raise ConnectSessionInvalid(
            f"No user connects {offer.name}: its grant_types have no way for that."
        )
    if wishes.relay and Way.SIGN_IN not in offer.ways:
        raise ConnectSessionInvalid(
            f"Nothing is relayed of {offer.name}, which has no sign-in: leave relay out."
        )


def find_public_origin() -> str:
    """Return the origin that browsers reach the service at: that of REDIRECT_URI."""
    parts = urlsplit(current_settings().redirect_uri)
    return f"{parts.scheme}://{parts.netloc}"


def find_link(token: Secret, browser: Secret | None, now: datetime) -> TAB_CONNECT_SESSIONS:
    """Return the session of a link that this browser may open, or has opened.

    Raises:
        ConnectLinkUnknown, ConnectLinkExpired, ConnectLinkTaken: It may not.
    """
    text = token.reveal()
    row = TAB_CONNECT_SESSIONS.find_by_token(token) if _TOKEN.fullmatch(text) else None
    if row is None:
        raise ConnectLinkUnknown
    if row.expires_at <= now:
        raise ConnectLinkExpired(row.return_to)
    if row.browser_hash is not None and not row.accepts_browser(browser):
        raise ConnectLinkTaken
    return row


def open_link(token: Secret, browser: Secret, now: datetime) -> TAB_CONNECT_SESSIONS:
    """Bind a link to the browser with this secret; the page lasts anew from then on.

    Raises:
        ConnectLinkUnknown, ConnectLinkExpired, ConnectLinkTaken: It cannot be.
    """
    with transaction():
        row = find_link(token, browser, now)
        if not row.claim(browser, now + _lifetime()):
            raise ConnectLinkTaken
        with act_for(row.app):
            kind = EventKind.CONNECT_SESSION_OPENED
            record(kind, now=now, subject=row.subject or None)
    return row


def find_session(session_id: str, browser: Secret | None, now: datetime) -> TAB_CONNECT_SESSIONS:
    """Return the session of a page, which belongs to this browser.

    Raises:
        ConnectLinkUnknown, ConnectLinkExpired, ConnectLinkTaken: It does not, or no more.
    """
    row = TAB_CONNECT_SESSIONS.find(session_id) if _ID.fullmatch(session_id) else None
    if row is None:
        raise ConnectLinkUnknown
    if not row.accepts_browser(browser):
        raise ConnectLinkTaken
    if row.expires_at <= now:
        raise ConnectLinkExpired(row.return_to)
    return row


def _lifetime() -> timedelta:
    return timedelta(seconds=current_settings().oauth.connect_session_seconds)
