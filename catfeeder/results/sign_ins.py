"""Results that lead a user's browser on: sign-ins, and links to the page of accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, TypedDict

from catfeeder.results.formats import Time


class DeviceAuthorization(TypedDict):
    """The result of `authorize_device` (RFC 8628 section 3.2): what the device shows its user."""

    connection_id: Annotated[
        str, "The connection, which is `pending` until the user has agreed; ask for it by this id."
    ]
    user_code: Annotated[str, "What the user enters at `verification_uri`; show it as it is."]
    verification_uri: Annotated[str, "The page to open on another device."]
    verification_uri_complete: Annotated[
        str | None, "The same with the code in it, such as for a QR code; null if there is none."
    ]
    expires_at: Annotated[Time, "When the code runs out, if no user has agreed."]
    interval_seconds: Annotated[
        int, "How often the provider is asked; nothing new is known any sooner."
    ]


class StartedSignIn(TypedDict):
    """The answer of `authorize`: where to send the user's browser."""

    authorization_url: Annotated[str, "The provider's page, with the request in its query."]
    state: Annotated[str, "Keep it in the user's session and compare it with what comes back."]
    expires_at: Annotated[Time, "When the sign-in has to have come back."]


class ConnectSession(TypedDict):
    """The answer of `connect_session`: the page where a user connects accounts."""

    url: Annotated[str, "Lead the user's browser there; the first that opens it has the page."]
    expires_at: Annotated[Time, "Until when the link can be opened."]


@dataclass(frozen=True, slots=True)
class ConnectLink:
    """A `ConnectSession` in Python: lead the browser of your user's session to the URL."""

    url: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Authorization:
    """A `StartedSignIn` in Python: send the browser to the URL, and compare `state` later."""

    authorization_url: str = field(repr=False)
    state: str = field(repr=False)
    expires_at: datetime
