"""Device authorization request (RFC 8628 section 3.1): what an app asks for, checked beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from actors.devices.errors import DeviceNotOffered
from actors.oauth.offline_access import ask_for_offline_access
from actors.oauth.sign_in import check_asked, check_names_users
from actors.providers.config.lookup import find_provider
from actors.providers.errors import DiscoveryNeeded
from actors.providers.protocol.filling import fill_variables, read_variables
from actors.providers.protocol.provider import Provider


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What a provider is asked for: `variables` have filled in its URLs."""

    provider: Provider
    scopes: list[str]
    variables: Mapping[str, str] | None


def build_device_request(
    provider: Provider,
    subject: str | None,
    scope: str | None,
    variables: Mapping[str, str] | None,
) -> DeviceRequest:
    """Return the request of a device for `scope`, or for the provider's usual scopes.

    Raises:
        DeviceNotOffered: The provider has no device grant.
        SubjectInvalid, ScopeInvalid: They have characters that cannot be stored or sent.
        VariablesInvalid: A variable of the provider is missing, or not what its rule allows.
        ProviderNotConfigured: Nothing would name the user.
    """
    if not provider.has_devices:
        raise DeviceNotOffered
    check_asked(subject, scope)
    checked = read_variables(provider, variables)
    scopes, _ = ask_for_offline_access(
        provider, (scope or "").split() or provider.scopes, {}, requested={}, is_wanted=None
    )
    check_names_users(provider, scopes)
    return DeviceRequest(fill_variables(provider, checked), scopes, checked)


def check_device_request(
    provider: str,
    subject: str | None,
    scope: str | None,
    variables: Mapping[str, str] | None,
) -> None:
    """Raise for a request that would fail for certain, as far as is known without the provider.

    Raises:
        ProviderUnknown, ProviderNotConfigured: As `find_provider`.
        AuthError: As `build_device_request`.
    """
    try:
        found = find_provider(provider)
    except DiscoveryNeeded:
        return
    build_device_request(found, subject, scope, variables)
