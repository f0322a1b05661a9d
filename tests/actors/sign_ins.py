"""Sign-ins with a scripted provider, as the first step of many a test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from actors.oauth.exchange import CodeAnswer, finish_sign_in
from actors.oauth.redemption import FinishedSignIn
from actors.oauth.sign_in import begin_sign_in
from actors.providers.config.discovery import discover
from actors.providers.config.settings import put_provider
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.provider.presets import play
from tests.scripted_provider import ScriptedProvider

NAME: Final = "scripted"


def now() -> datetime:
    """Return a time with the milliseconds that the database keeps."""
    at = datetime.now(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def configure(provider: ScriptedProvider, **settings: Any) -> None:
    """Configure the provider by its issuer, and fetch what that publishes."""
    known = {"issuer": provider.issuer, **provider.credentials(), **settings}
    put_provider(NAME, {name: value for name, value in known.items() if value is not None}, now())
    discover(NAME, now())


def configure_plain(provider: ScriptedProvider, **settings: Any) -> None:
    """Configure the provider as one of plain OAuth 2.0, without issuer and id_token."""
    plain = {"jwks_uri": None, "profile": {"subject": "sub"}, "scopes": ["profile", "email"]}
    configure(provider, **{"issuer": None, **provider.addresses(), **plain, **settings})


def configure_preset(provider: ScriptedProvider, preset: str, **settings: Any) -> None:
    """Configure the provider as that of a preset, and make it behave so."""
    put_provider(NAME, {**play(provider, preset), **settings}, now())


def come_back(provider: ScriptedProvider, **options: Any) -> dict[str, Any]:
    """Begin a sign-in and consent; return what the callback gets, as arguments of the exchange."""
    unbound = "subject" in options and "relay" not in options
    begun = begin_sign_in(NAME, **{"now": now(), "unbound": unbound, **options})
    query = provider.consent(begun.authorization_url)
    user = {"user": Secret(query["user"])} if "user" in query else {}
    return {
        "provider": NAME,
        "code": Secret(query["code"]),
        "state": Secret(query["state"]),
        "iss": query.get("iss"),
        **user,
    }


def sign_in(provider: ScriptedProvider, **options: Any) -> FinishedSignIn:
    """Sign a user in from beginning to end."""
    at = options.get("now", now())
    return finish_sign_in(CodeAnswer(**come_back(provider, **options)), at)


def reread(row: TAB_CONNECTIONS) -> TAB_CONNECTIONS:
    """Return a connection as it is stored now."""
    with hold_connection():
        found: TAB_CONNECTIONS = TAB_CONNECTIONS.get_by_id(row.id)
    return found


def codes_posted(provider: ScriptedProvider) -> int:
    """Return how many requests came to the token endpoint."""
    return len(provider.requests_for("/token"))


def stored_connections() -> list[TAB_CONNECTIONS]:
    """Return all that is stored."""
    with hold_connection():
        return list(TAB_CONNECTIONS.select())


def status_of(state: Secret) -> str:
    """Return how far the sign-in of a state has come."""
    with hold_connection():
        row = TAB_VERIFICATION.find(state)
    assert row is not None
    return str(row.status)


def event_kinds() -> list[str]:
    """Return the kinds of events in the audit trail, the oldest first."""
    with hold_connection():
        return [row.kind for row in TAB_EVENTS.select().order_by(TAB_EVENTS.id)]
