"""The errors of sign-ins: states, redirects and what an app asks for (RFC 6749, RFC 9700)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from actors.errors import AuthError


class ReturnToForbidden(AuthError):
    """Raised against open redirects (RFC 9700 section 4.11)."""

    message = (
        "return_to leads to an origin that [OAuth] return_to_origins of config.toml does not list."
    )


class SubjectInvalid(AuthError):
    """Raised for an app's own name of a user that not every database can store."""

    message = "subject must have 1 to 255 characters, none of them a control character."


class SubjectUnbound(AuthError):
    """Raised for a subject that any browser could attach its account to (RFC 9700 section 4.7)."""

    message = (
        "With subject alone, another browser that is sent the authorization_url would attach its "
        "account to your user. Send relay: true with a return_to, and compare the state there with "
        "the one in your user's session; or unbound: true where that cannot happen."
    )
    fields: ClassVar[Mapping[str, str]] = {"subject": message}


class ScopeInvalid(AuthError):
    """Raised for a scope outside the grammar of RFC 6749 section 3.3."""

    message = "scope must be names of visible ASCII characters, parted by spaces."


class RequestParameterInvalid(AuthError):
    """Raised for a parameter of OpenID Connect Core section 3.1.2.1 that cannot be sent or kept."""

    message = "A parameter of the sign-in cannot be used."


class RedirectMismatch(AuthError):
    """Raised against a mix-up of providers (RFC 9700 section 4.4)."""

    message = "The answer came to another redirect URI than the one that this sign-in began with."


class BrowserMismatch(AuthError):
    """Raised against login CSRF (RFC 9700 section 4.7)."""

    message = (
        "This sign-in was begun in another browser, or its cookie is gone; start it again here."
    )


class StateMissing(AuthError):
    """Raised on an exchange without a state, while `[OAuth] require_state` is on."""

    message = "The state is missing: without it a forged answer would look like a real one."


class StateUnknown(AuthError):
    """Raised for a state that was never issued, or that was issued for another provider."""

    message = "The state does not match any pending sign-in with this provider."


class StateExpired(AuthError):
    """Raised for an answer that comes later than `[OAuth] state_lifetime_seconds`."""

    message = "The sign-in took too long; start it again."


class StateUsed(AuthError):
    """Raised for a state whose exchange has ended, well or not."""

    message = "This sign-in was finished before; its state and code serve once."


class IssuerMismatch(AuthError):
    """Raised against a mix-up of providers; also where an announced `iss` is missing."""

    message = "The answer names another issuer than the provider's (RFC 9207)."


class TokenSourceInvalid(AuthError):
    """Raised on user info that is asked for by both sources, or by none."""

    message = "Give either connection_id or access_token, not both and not neither."


class SignInNotOffered(AuthError):
    """Raised for a sign-in with a provider whose `grant_types` lack authorization_code."""

    message = (
        "Connections to this provider are made from credentials, by POST /v1/connections; users do "
        "not sign in with it."
    )
