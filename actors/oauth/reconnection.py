"""Reconnection: an operator's link by which the user of a connection signs in anew."""

from __future__ import annotations

from datetime import datetime

from actors.connections.reading import find_connection
from actors.oauth.sign_in import SignIn, SignInWishes, begin_sign_in
from catfeeder.queue.requester import act_for
from models.oauth.providers import public_name


def begin_reconnection(connection_id: str, return_to: str | None, now: datetime) -> SignIn:
    """Record a sign-in of a connection's user, with its scope and variables; return its URL.

    It is bound to no browser, as the operator has none of the user's: the link is for this user
    alone.

    Raises:
        ConnectionUnknown: There is no such connection.
        As `begin_sign_in`.
    """
    row = find_connection(connection_id)
    wishes: SignInWishes = {"scope": row.scope or None, "variables": row.variables or {}}
    if row.subject:
        wishes |= {"subject": row.subject, "unbound": True}
    if return_to is not None:
        wishes["return_to"] = return_to
    if email := row.profile.get("email"):
        wishes["login_hint"] = email
    with act_for(row.app):
        return begin_sign_in(public_name(row.provider) or row.provider, now=now, **wishes)
