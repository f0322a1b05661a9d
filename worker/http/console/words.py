"""Words of the console: what a state means and what to do about it, and what an event says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from actors.errors import FailureKind
from actors.events.kinds import EventKind
from models.oauth.connections import ConnectionStatus


class Meaning(NamedTuple):
    """What a state means, and what an operator does about it."""

    sentence: str
    remedy: str


STATUS_MEANINGS: Final[Mapping[str, Meaning]] = {
    ConnectionStatus.PENDING: Meaning(
        "It has no token yet: its user has not agreed, or the first token has not come.",
        "Wait for the user; a device's code runs out by itself.",
    ),
    ConnectionStatus.ACTIVE: Meaning(
        "It works: its token serves, and is renewed before it ends.", "There is nothing to do."
    ),
    ConnectionStatus.RENEWAL_FAILING: Meaning(
        "Its renewal fails at the moment, and is tried again by itself, later each time. The token "
        "serves for as long as it is valid.",
        "Look at what the provider answered; renew it by hand once the cause is gone.",
    ),
    ConnectionStatus.ENDED: Meaning(
        "Its token has run out, and the provider gave nothing to renew it with. Nothing is wrong.",
        "If the app needs longer access, ask for offline access in the provider's scopes, and have "
        "the user sign in again.",
    ),
    ConnectionStatus.REAUTHORIZATION_REQUIRED: Meaning(
        "The provider accepts its grant no more: only its user can bring another token.",
        "Have its user sign in again.",
    ),
    ConnectionStatus.REVOKED: Meaning(
        "Its grant was revoked.", "Have its user sign in again, if that is what they want."
    ),
}

#: By the kind with which a connection's reason begins.
FAILURE_REMEDIES: Final[Mapping[str, str]] = {
    FailureKind.CLIENT_MISCONFIGURED: (
        "The provider refuses this service's client: correct client_id, client_secret or the "
        "authentication method in the provider's settings, and check it."
    ),
    FailureKind.SCOPE: "The provider refuses the scopes: correct them in the provider's settings.",
    FailureKind.RATE_LIMITED: (
        "The provider is asked too often, and says so: it is asked again when it allows that. Set "
        "maximum_renewals_per_minute in its settings if this lasts."
    ),
    FailureKind.TRANSIENT: (
        "The provider could not be reached or failed: the renewal is tried again by itself."
    ),
    FailureKind.MALFORMED: (
        "The provider's answer has a form that is not understood: check the provider's settings."
    ),
    FailureKind.GRANT_DEAD: "The provider has ended the grant: have the user sign in again.",
}


class EventWords(NamedTuple):
    """What an event says, and the colour of its mark."""

    title: str
    color: str = "secondary"


EVENT_WORDS: Final[Mapping[str, EventWords]] = {
    EventKind.AUTHORIZED: EventWords("A sign-in began", "blue"),
    EventKind.EXCHANGED: EventWords("The user signed in, and tokens came", "green"),
    EventKind.CONNECTED: EventWords("Connected without a browser", "green"),
    EventKind.IMPORTED: EventWords("Moved in from another system", "green"),
    EventKind.IDENTIFIED: EventWords("The account became known", "green"),
    EventKind.DEVICE_REFUSED: EventWords("The device got no token", "red"),
    EventKind.SIGN_IN_REFUSED: EventWords("A sign-in failed", "red"),
    EventKind.RENEWED: EventWords("The provider renewed the token", "green"),
    EventKind.TOKEN_EXCHANGED: EventWords("A token for another target was got", "green"),
    EventKind.TOKEN_EXCHANGE_REFUSED: EventWords("A token for another target was refused", "red"),
    EventKind.PROFILE_REQUESTED: EventWords("The profile was asked for anew", "blue"),
    EventKind.PROFILE_CHANGED: EventWords("The stored profile changed", "blue"),
    EventKind.RENEWAL_REQUESTED: EventWords("It was made due at once, with others", "blue"),
    EventKind.RENEWAL_RETRIED: EventWords(
        "A token was sent once more, as no answer to it was known", "yellow"
    ),
    EventKind.RENEWAL_FAILED: EventWords("A renewal failed; it is tried again", "red"),
    EventKind.RENEWAL_FAILED_AGAIN: EventWords("The renewal failed again", "red"),
    EventKind.REAUTHORIZATION_SOON: EventWords("The grant ends soon", "yellow"),
    EventKind.REAUTHORIZATION_REQUIRED: EventWords("The grant ended; the user is needed", "red"),
    EventKind.ENDED: EventWords("The token ran out, with nothing to renew it"),
    EventKind.RECOVERED: EventWords("Renewal works again", "green"),
    EventKind.REVOKED: EventWords("Disconnected"),
    EventKind.SCOPE_MISSING: EventWords("The provider granted less than was asked for", "yellow"),
    EventKind.IDENTITY_REFUSED: EventWords(
        "Tokens of another identity came, and were refused", "red"
    ),
    EventKind.PROVIDER_CHANGED: EventWords("A provider's settings changed", "blue"),
    EventKind.PROVIDER_PAUSED: EventWords("A provider's renewals paused", "yellow"),
    EventKind.PROVIDER_RESUMED: EventWords("A provider's renewals went on", "green"),
    EventKind.DEAD_LETTERS_REPLAYED: EventWords("Dead letters sent anew", "blue"),
    EventKind.DEAD_LETTERS_DISCARDED: EventWords("Dead letters discarded", "secondary"),
    EventKind.JOB_CANCELLED: EventWords("A job cancelled", "secondary"),
    EventKind.QUEUE_PAUSED: EventWords("A queue paused", "yellow"),
    EventKind.QUEUE_RESUMED: EventWords("A queue went on", "green"),
    EventKind.API_KEY_CREATED: EventWords("An API key was made", "blue"),
    EventKind.API_KEY_REVOKED: EventWords("An API key was revoked", "blue"),
    EventKind.APP_CHANGED: EventWords("An app changed", "blue"),
    EventKind.WEBHOOK_RESENT: EventWords("Events sent anew", "blue"),
    EventKind.CONNECT_SESSION_CREATED: EventWords("A link for a user to connect was made", "blue"),
    EventKind.CONNECT_SESSION_OPENED: EventWords("A user opened the link to connect", "blue"),
    EventKind.ROW_REFUSED: EventWords(
        "A row of the database was not written by this service, and counts as absent", "red"
    ),
}


def find_remedy(status: str, reason: str | None) -> str:
    """Return what to do about a connection, by its state and the kind of its failure."""
    kind = (reason or "").partition(":")[0]
    if status == ConnectionStatus.RENEWAL_FAILING and kind in FAILURE_REMEDIES:
        return FAILURE_REMEDIES[kind]
    return STATUS_MEANINGS[status].remedy if status in STATUS_MEANINGS else ""


def describe_event(kind: str) -> EventWords:
    """Return the words of an event; of a kind that a later release writes, its name."""
    return EVENT_WORDS.get(kind) or EventWords(kind.replace("_", " ").capitalize())


def describe_value(value: Any) -> str:
    """Return a member of an event's detail, or of a connection's metadata, as people read it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(describe_value, value)) or "none"
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


#: What the template of events needs.
EVENT_HELPERS: Final[Mapping[str, Any]] = {
    "describe_event": describe_event,
    "describe_value": describe_value,
}
