"""The claims of an id_token that holds, to be changed by tests, and the checking of one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from actors.providers.identity.id_tokens import verify_id_token
from actors.providers.protocol.keys import KeyCache
from catfeeder.sealing import Secret
from tests.actors.providers.built import built
from tests.scripted_provider import ScriptedProvider

NONCE: Final = Secret("nonce-of-this-sign-in")
#: The time at which these id_tokens are checked, however long after it a test runs.
NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


def right_claims(provider: ScriptedProvider, **changes: Any) -> dict[str, Any]:
    """Return claims that hold, with changes; None takes one away."""
    at = int(NOW.timestamp())
    claims = {
        "iss": provider.issuer,
        "aud": provider.client_id,
        "sub": "jane",
        "iat": at,
        "exp": at + 300,
        "nonce": NONCE.reveal(),
    }
    return {name: value for name, value in {**claims, **changes}.items() if value is not None}


def verified(
    provider: ScriptedProvider, token: str, key_cache: KeyCache | None = None, **metadata: Any
) -> dict[str, Any]:
    """Check a token as that of a sign-in at that time."""
    return verify_id_token(built(provider, **metadata), Secret(token), NONCE, NOW, key_cache)
