"""Sign-ins by relay: the bodies of both requests, and whose browser it is."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .faults import SignInRefused, StateMismatch
from .models import Authorize, ExchangeCode
from .options import SignInOptions
from .types import UNSET


@dataclass(frozen=True)
class SignIn:
    """A sign-in that has begun: keep `state` in the user's session, and redirect the browser."""

    authorization_url: str = field(repr=False)
    state: str = field(repr=False)


def write_authorize(return_to: str, options: SignInOptions) -> Authorize:
    """Return the body of the request that begins a sign-in."""
    fields: dict[str, Any] = {**options}
    return Authorize(relay=True, return_to=return_to, **fields)


def read_sign_in(begun: Any) -> SignIn:
    """Return the sign-in that an answer has."""
    return SignIn(begun.authorization_url, begun.state)


def write_exchange(query: Mapping[str, str], state: str | None) -> tuple[str, ExchangeCode]:
    """Return the provider's name and the body that redeems what came back, if it is this session's.

    Raises:
        StateMismatch: Another browser began this sign-in, or none did.
        SignInRefused: The provider did not sign the user in.
    """
    came = query.get("state", "")
    if not state or not hmac.compare_digest(came.encode(), state.encode()):
        raise StateMismatch
    if "code" not in query:
        raise SignInRefused(query.get("error", "no_code"))
    body = ExchangeCode(code=query["code"], state=state, iss=query.get("iss", UNSET))
    return state.split(":")[-1], body
