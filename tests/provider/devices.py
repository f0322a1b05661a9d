"""Device flow of a scripted provider (RFC 8628), strict about intervals by a test's clock."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.provider.grants import Refused

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Device:
    """One device authorization, and when it was polled for."""

    request: Mapping[str, str]
    user_code: str
    interval: int
    expires_at: float
    #: pending, approved, denied or spent.
    state: str = "pending"
    polled_at: list[float] = field(default_factory=list)
    #: How many polls came before their interval was over.
    too_early: int = 0


class Devices:
    """All device authorizations of one provider."""

    def __init__(self) -> None:
        """Begin with none."""
        self.interval = 5
        self.lifetime = 600
        self.clock: Callable[[], float] = time.time
        #: How many polls are answered with slow_down from now on.
        self.slow_downs = 0
        self.issued: dict[str, Device] = {}
        self._lock = threading.Lock()

    @property
    def latest(self) -> Device:
        """The latest device authorization."""
        return list(self.issued.values())[-1]

    def decide(self, user_code: str, state: str) -> None:
        """Approve or deny, as the user does who has entered the code."""
        (device,) = (one for one in self.issued.values() if one.user_code == user_code)
        device.state = state

    def issue(self, form: Mapping[str, str], issuer: str) -> dict[str, Any]:
        """Answer a device authorization request (section 3.2)."""
        now = self.clock()
        user_code = "-".join(secrets.token_hex(2).upper() for _ in range(2))
        device = Device(form, user_code, self.interval, now + self.lifetime, polled_at=[now])
        code = f"device-{secrets.token_urlsafe(12)}"
        self.issued[code] = device
        return {
            "device_code": code,
            "user_code": user_code,
            "verification_uri": f"{issuer}/activate",
            "verification_uri_complete": f"{issuer}/activate?user_code={user_code}",
            "expires_in": self.lifetime,
            "interval": self.interval,
        }

    def poll(self, form: Mapping[str, str]) -> Mapping[str, str]:
        """Return the request of a device whose user has agreed, else refuse (section 3.5)."""
        with self._lock:
            device = self.issued.get(form.get("device_code", ""))
            if device is None or device.state == "spent":
                raise Refused("invalid_grant")
            now = self.clock()
            is_early = now - device.polled_at[-1] < device.interval
            device.polled_at.append(now)
            if is_early or self.slow_downs:
                self.slow_downs = max(self.slow_downs - 1, 0)
                device.too_early += is_early
                device.interval += 5
                raise Refused("slow_down")
            if now >= device.expires_at:
                raise Refused("expired_token")
            if device.state == "denied":
                raise Refused("access_denied")
            if device.state == "pending":
                raise Refused("authorization_pending")
            device.state = "spent"
            return device.request
