"""Checks of offline access: whether renewal is asked for, and whether it was granted."""

from __future__ import annotations

from collections.abc import Iterator

from actors.providers.config.checks.static import report_fault, report_ok
from actors.providers.protocol.provider import Provider
from actors.providers.protocol.provider_builder import OFFLINE_ACCESS
from catfeeder.results import Finding
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS


def check_renewal(provider: Provider, *, is_published: bool) -> Finding:
    """Check that what is asked for yields a refresh token (OpenID Connect Core section 11).

    `is_published` says that the issuer publishes `offline_access`.
    """
    if provider.renewal != "refresh_token":
        return report_ok("renewal", f"Tokens are renewed by: {provider.renewal}.")
    if not provider.offline_access:
        return report_ok("renewal", "No refresh token is asked for, as offline_access is off.")
    if provider.publishes_offline_access:
        return _check_prompt(provider)
    scope = provider.offline_scope or (OFFLINE_ACCESS if is_published else None)
    if scope is not None and scope not in provider.scopes:
        remedy = f"Add {scope} to scopes."
        if scope == OFFLINE_ACCESS:
            remedy = f"Add {scope} to scopes, and prompt consent to authorization_parameters."
        return report_fault("renewal", f"Without {scope} there is no refresh token.", remedy)
    asked = provider.authorization_parameters
    for name, value in provider.offline_parameters.items():
        if asked.get(name) != value:
            remedy = f"Set {name} to {value} in authorization_parameters."
            return report_fault("renewal", f"Without {name} there is no refresh token.", remedy)
    return report_ok("renewal", "What is asked for yields a refresh token.")


def _check_prompt(provider: Provider) -> Finding:
    if "none" in provider.authorization_parameters.get("prompt", "").split():
        remedy = "Take prompt out of authorization_parameters, or set offline_access to false."
        return report_fault("renewal", "With prompt=none there is no refresh token.", remedy)
    parameters = " and ".join(f"{name}={it}" for name, it in provider.offline_parameters.items())
    detail = f"{provider.offline_scope} is asked for, with {parameters or 'nothing else'}."
    return report_ok("renewal", detail)


def check_last_grant(provider: Provider) -> Iterator[Finding]:
    """Compare what was granted last with what was asked for; nothing before the first sign-in."""
    with hold_connection():
        row = TAB_CONNECTIONS.find_latest(provider.name)
    if row is None:
        return
    missing = row.missing_scope.split()
    asked = [*row.scope.split(), *missing]
    scope = provider.offline_scope or OFFLINE_ACCESS
    if row.refresh_token is None and scope in asked:
        yield report_fault(
            "granted",
            f"The last sign-in asked for {scope} and was given no refresh token.",
            "Let the app have refresh tokens at the provider (the grant type refresh_token); "
            'some want {"prompt": "consent"} in authorization_parameters.',
        )
    elif missing:
        yield report_fault(
            "granted",
            "The last sign-in was granted less than it asked for.",
            f"Allow the app {', '.join(missing)} at the provider, or leave it out of scopes.",
        )
    else:
        yield report_ok("granted", "The last sign-in was granted what was asked for.")
