"""What a scripted provider has granted: codes and tokens, each with its life."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field


class Refused(Exception):
    """The token endpoint answers with an error of RFC 6749 section 5.2."""

    def __init__(self, error: str) -> None:
        """Take the error's code."""
        super().__init__(error)
        self.error = error


@dataclass
class Grant:
    """One consent of the user, and all that came of it."""

    request: Mapping[str, str]
    code: str
    is_code_used: bool = False
    is_alive: bool = True
    access_tokens: list[str] = field(default_factory=list)
    refresh_tokens: list[str] = field(default_factory=list)


class Grants:
    """All grants of one provider."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._grants: list[Grant] = []
        #: How often a code came twice, and how often a refresh token that was spent came back.
        self.code_replays = 0
        self.refresh_token_reuses = 0

    def begin(self, request: Mapping[str, str]) -> Grant:
        """Record a consent, with the parameters of its authorization request."""
        grant = Grant(request, f"code-{secrets.token_urlsafe(12)}")
        with self._lock:
            self._grants.append(grant)
        return grant

    def redeem_code(self, form: Mapping[str, str], *, requires_pkce: bool) -> Grant:
        """Return the grant of a code that may be redeemed, once."""
        with self._lock:
            grant = self._holding("code", form.get("code", ""))
            if grant.is_code_used:
                self.code_replays += 1
                grant.is_alive = False
                raise Refused("invalid_grant")
            grant.is_code_used = True
        if form.get("redirect_uri") != grant.request.get("redirect_uri"):
            raise Refused("invalid_grant")
        check_pkce(grant.request, form.get("code_verifier"), requires_pkce=requires_pkce)
        return grant

    def use_refresh_token(self, token: str, rotation: str) -> Grant:
        """Return the grant of a refresh token; a spent one that comes back ends its grant."""
        with self._lock:
            grant = self._holding("refresh_tokens", token)
            if rotation == "single_use" and token != grant.refresh_tokens[-1]:
                self.refresh_token_reuses += 1
                grant.is_alive = False
                raise Refused("invalid_grant")
            return grant

    def add_tokens(self, grant: Grant, *, with_refresh_token: bool) -> tuple[str, str | None]:
        """Return new tokens of a grant."""
        number = len(grant.access_tokens) + 1
        access_token = f"access-{number}-{secrets.token_urlsafe(12)}"
        refresh_token = f"refresh-{number}-{secrets.token_urlsafe(12)}"
        with self._lock:
            grant.access_tokens.append(access_token)
            if with_refresh_token:
                grant.refresh_tokens.append(refresh_token)
        return access_token, refresh_token if with_refresh_token else None

    def of_access_token(self, token: str) -> Grant:
        """Return the grant of an access token."""
        with self._lock:
            return self._holding("access_tokens", token)

    def end(self, token: str) -> bool:
        """End the grant of a token; false when there is none."""
        with self._lock:
            for grant in self._grants:
                if token in grant.access_tokens or token in grant.refresh_tokens:
                    grant.is_alive = False
                    return True
        return False

    def forget(self, token: str) -> None:
        """End a token alone; a spent refresh token is ended already."""
        with self._lock:
            for grant in self._grants:
                if token in grant.access_tokens:
                    grant.access_tokens.remove(token)
                elif grant.refresh_tokens[-1:] == [token]:
                    grant.refresh_tokens.remove(token)

    def end_all(self) -> None:
        """End every grant, as a user does in the provider's settings."""
        with self._lock:
            for grant in self._grants:
                grant.is_alive = False

    def _holding(self, part: str, value: str) -> Grant:
        for grant in self._grants:
            held = getattr(grant, part)
            if grant.is_alive and (value == held if isinstance(held, str) else value in held):
                return grant
        raise Refused("invalid_grant")


def check_pkce(request: Mapping[str, str], verifier: str | None, *, requires_pkce: bool) -> None:
    """Hold a verifier against the challenge of its authorization request (RFC 7636 section 4.6)."""
    challenge = request.get("code_challenge")
    if challenge is None:
        # A verifier without a challenge is a downgrade (RFC 9700 section 4.8.2).
        if requires_pkce or verifier is not None:
            raise Refused("invalid_grant")
        return
    if verifier is None or not 43 <= len(verifier) <= 128:
        raise Refused("invalid_grant")
    if request.get("code_challenge_method") == "plain":
        if verifier != challenge:
            raise Refused("invalid_grant")
        return
    digest = hashlib.sha256(verifier.encode()).digest()
    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != challenge:
        raise Refused("invalid_grant")
