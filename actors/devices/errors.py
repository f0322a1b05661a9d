"""The errors of device authorizations, beside those of RFC 8628 that a token's readers get."""

from __future__ import annotations

from actors.errors import AuthError


class DeviceNotOffered(AuthError):
    """Raised for a device of a provider whose `grant_types` lack the device grant."""

    message = (
        "This provider connects no devices: its grant_types lack "
        "urn:ietf:params:oauth:grant-type:device_code."
    )
