"""Notices of connect pages: codes in an address stand for words of ours, and for no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import urlencode

from actors.oauth.refusals import ProviderError

FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
#: Each notice of the language files, and the colour that it is shown in.
COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "connected": "success",
        "disconnected": "success",
        "disconnecting": "info",
        CANCELLED: "warning",
        "expired": "warning",
        "unreachable": "warning",
        "busy": "warning",
        "credentials": "danger",
        "gone": "warning",
        FAILED: "danger",
    }
)
_BY_CODE: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("state_expired", "state_unknown", "state_used"), "expired"),
        **dict.fromkeys(("expired_token", "outcome_unknown"), "expired"),
        **dict.fromkeys(("provider_unreachable", "provider_unavailable"), "unreachable"),
        **dict.fromkeys(("provider_paused", "temporarily_unavailable"), "unreachable"),
        "server_error": "unreachable",
        **dict.fromkeys(("queue_overloaded", "queue_unreachable", "queue_full"), "busy"),
        **dict.fromkeys(("server_stopping", "job_timeout", "job_outdated"), "busy"),
        **dict.fromkeys(("database_unreachable", "too_many_attempts"), "busy"),
        **dict.fromkeys(("credentials_refused", "credentials_invalid"), "credentials"),
        "connection_unknown": "gone",
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What is shown once above the page: a code, the provider's title, and a reference."""

    code: str
    provider: str = ""
    reference: str | None = None

    @property
    def colour(self) -> str:
        """Bootstrap's name of the colour."""
        return COLOURS[self.code]


def find_notice(code: str) -> str:
    """Return the notice of an error's code, ours or a provider's."""
    if ProviderError(code, None).is_users_choice:
        return CANCELLED
    return _BY_CODE.get(code, FAILED)


def build_address(path: str, code: str, provider: str = "", reference: str | None = None) -> str:
    """Return the address of a page that shows a notice."""
    fields = {"notice": code, "provider": provider, "reference": reference or ""}
    return f"{path}?{urlencode({name: text for name, text in fields.items() if text})}"
