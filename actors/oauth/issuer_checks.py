"""Issuer of an authorization response (RFC 9207): a mix-up of providers is stopped."""

from __future__ import annotations

from actors.errors import AuthError
from actors.oauth.errors import IssuerMismatch
from actors.providers.config.lookup import find_provider, is_issuer_of_another
from actors.providers.protocol.issuers import describe_issuers, is_issuer_of_answer
from actors.providers.protocol.provider import Provider
from models.oauth.sign_ins import TAB_VERIFICATION


def check_issuer(provider: Provider, iss: str | None) -> None:
    """Stop a mix-up of providers (RFC 9207 section 2.4).

    A provider without a configured issuer may name one all the same; it must not be another
    provider's.

    Raises:
        IssuerMismatch: The answer is from another issuer, or lacks the one that was announced.
    """
    if iss is None:
        is_valid = not provider.authorization_response_iss_parameter_supported
    elif provider.issuer:
        is_valid = is_issuer_of_answer(provider, iss)
    else:
        is_valid = not is_issuer_of_another(provider.name, iss)
    if not is_valid:
        raise IssuerMismatch(describe_issuers(provider.issuer, iss))


def check_issuer_of_error(sign_in: TAB_VERIFICATION, iss: str | None) -> None:
    """Make sure that an error is not from another issuer, which could end a sign-in by it.

    Many providers that name theirs beside a code do not beside an error, so none is demanded. A
    provider that cannot be looked up any more has no issuer to compare.

    Raises:
        IssuerMismatch: It is.
    """
    if iss is None:
        return
    try:
        provider = find_provider(sign_in.provider)
    except AuthError:
        return
    check_issuer(provider, iss)
