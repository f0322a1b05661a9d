"""Checks of a provider's settings against what its issuer publishes (RFC 8414, OIDC Discovery)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actors.providers.config.checks.static import report_fault, report_ok
from actors.providers.protocol.metadata import find_unusable_endpoints
from actors.providers.protocol.provider import DEVICE_CODE, Provider
from actors.providers.protocol.published_keys import ALGORITHMS
from catfeeder.results import Finding

#: Members by which a provider wants of every client what the service does not do, and its name. The
#: last three are not registered; some servers publish them.
_DEMANDS: Final = {
    "require_pushed_authorization_requests": "pushed authorization requests (RFC 9126)",
    "require_signed_request_object": "signed authorization requests (RFC 9101)",
    "require_dpop": "tokens bound to a key (DPoP, RFC 9449)",
    "dpop_required": "tokens bound to a key (DPoP, RFC 9449)",
    "dpop_bound_access_tokens": "tokens bound to a key (DPoP, RFC 9449)",
}
_SHARED_SECRET: Final = (
    "Have the provider sign id_tokens with a key that it publishes, such as by RS256 or ES256 "
    "(id_token_signed_response_alg of the client, RFC 7591); or take openid out of scopes, so "
    "that user info names the user."
)
_LIVE_ON: Final = (
    "a disconnect erases the tokens here, and they live on at the provider until they end."
)


def read_texts(published: Mapping[str, Any], name: str) -> list[str]:
    """Return the texts of a published list; members of another type are ignored."""
    value = published.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def check_published(provider: Provider, published: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what the settings and the issuer's metadata together show."""
    yield _check_client_authentication(provider, published)
    if provider.has_devices:
        yield _check_device_grant(published)
    if provider.has_sign_in:
        yield _check_pkce(provider, published)
        yield from _check_demands(published)
    yield from _check_algorithms(provider, published)
    yield from _check_optional_endpoints(provider, published)


def check_revocation(provider: Provider, published: Mapping[str, Any]) -> Finding:
    """Report whether a disconnect ends the grant at the provider too (RFC 7009).

    Sign-ins work without it, and many providers have no such way: it is no fault.
    """
    name = "revocation"
    if provider.revocation == "none":
        return report_ok(name, "The provider has no way to revoke tokens.")
    if provider.revocation_endpoint is None:
        return report_ok(
            name, f"There is no revocation_endpoint: {_LIVE_ON} Set it if there is one."
        )
    supported = read_texts(published, "revocation_endpoint_auth_methods_supported")
    method = provider.revocation_endpoint_auth_method or provider.token_endpoint_auth_method
    is_own_way = provider.revocation != "rfc7009"
    if is_own_way or not supported or _to_published_name(method) in supported:
        return report_ok(name, "A disconnect revokes the tokens at the provider.")
    client = "a public client has no secret" if method == "none" else f"the client uses {method}"
    detail = f"The revocation endpoint takes {', '.join(supported)} alone, and {client}, so it"
    return report_ok(name, f"{detail} may well revoke nothing: {_LIVE_ON}")


def _to_published_name(method: str) -> str:
    """Return how metadata name a method; Apple's secret is one that we sign."""
    return method.replace("apple_client_secret", "client_secret_post")


def _check_client_authentication(provider: Provider, published: Mapping[str, Any]) -> Finding:
    name, method = "client_authentication", provider.token_endpoint_auth_method
    if provider.client_secret_basic_encoding == "raw":
        detail = "The secret is sent as it is: the provider does not decode it (RFC 6749 2.3.1)."
        return report_ok(name, detail)
    if method == "none":
        # Few servers list it that have public clients.
        return report_ok(name, "A public client sends its client_id alone.")
    supported = read_texts(published, "token_endpoint_auth_methods_supported")
    # Where nothing is published, the standard says Basic (RFC 8414 section 2).
    supported = supported or ["client_secret_basic"]
    if _to_published_name(method) in supported:
        return report_ok(name, f"{method} is published.")
    remedy = f"Set token_endpoint_auth_method to one of {', '.join(supported)}."
    return report_fault(name, f"{method} is not published.", remedy)


def _check_pkce(provider: Provider, published: Mapping[str, Any]) -> Finding:
    supported = read_texts(published, "code_challenge_methods_supported")
    method = provider.code_challenge_method
    if method != "S256" and "S256" in supported:
        remedy = 'Set code_challenge_method to "S256".'
        what = "it is off" if method == "none" else f"{method} is used"
        return report_fault("pkce", f"The provider supports PKCE by S256 and {what}.", remedy)
    if provider.uses_pkce and supported and method not in supported:
        other = "plain" if "plain" in supported else "none"
        remedy = f'Set code_challenge_method to "{other}" if sign-ins fail.'
        return report_fault("pkce", f"The provider does not publish {method}.", remedy)
    return report_ok("pkce", "PKCE is used as the provider publishes it.")


def _check_device_grant(published: Mapping[str, Any]) -> Finding:
    """Check that the issuer publishes the device grant (RFC 8628 section 4), if it lists any."""
    grants = read_texts(published, "grant_types_supported")
    if grants and DEVICE_CODE not in grants:
        remedy = "Have the provider allow the device grant, or take it out of grant_types."
        detail = "The issuer does not list the device grant among its grant_types_supported."
        return report_fault("device_grant", detail, remedy)
    return report_ok("device_grant", "Nothing that the issuer publishes denies the device grant.")


def _check_demands(published: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield a fault for each thing that every client has to do and this one does not."""
    wanted = {what: name for name, what in _DEMANDS.items() if published.get(name) is True}
    for what, name in wanted.items():
        remedy = f"Have the provider not demand it of this client: it publishes {name}."
        yield report_fault("demands", f"The provider wants {what}, which are not made.", remedy)
    types = read_texts(published, "response_types_supported")
    if types and "code" not in types:
        remedy = "Have the provider allow the authorization code flow (RFC 6749 section 4.1)."
        yield report_fault("demands", "The provider does not publish response type code.", remedy)
    elif not wanted:
        detail = "Nothing is wanted of all clients that is not done."
        if published.get("dpop_signing_alg_values_supported"):
            detail = (
                "DPoP (RFC 9449) is supported by the provider, and not used: register the client "
                "without dpop_bound_access_tokens."
            )
        yield report_ok("demands", detail)


def _check_algorithms(provider: Provider, published: Mapping[str, Any]) -> Iterator[Finding]:
    algorithms = read_texts(published, "id_token_signing_alg_values_supported")
    if not algorithms or not provider.yields_id_token(provider.scopes):
        return
    named = ", ".join(sorted(algorithms)[:10])
    if set(algorithms).isdisjoint(ALGORITHMS):
        detail = f"id_tokens are signed by {named}, of which none is accepted."
        yield report_fault("id_token_algorithms", detail, _SHARED_SECRET)
    else:
        yield report_ok("id_token_algorithms", f"id_tokens are signed by one of {named}.")


def _check_optional_endpoints(
    provider: Provider, published: Mapping[str, Any]
) -> Iterator[Finding]:
    for name, reason in find_unusable_endpoints(published).items():
        is_used = name != "device_authorization_endpoint" or provider.has_devices
        if is_used and getattr(provider, name) is None:
            remedy = f"It is left out. Set {name}, or name its host in OAUTH_ALLOWED_PRIVATE_HOSTS."
            yield report_fault(name, reason, remedy)
