"""Catalogue of messages: what may be asked of the workers, on which queue, and for how long.

A message's name is wire format and the name of the actor that performs it: never rename one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class MessageType:
    """One kind of message.

    `max_age_seconds` is how long it may wait in the queue and still be worth doing; without one the
    database row behind it decides. `is_job` says that a caller asked for it and awaits a result,
    `is_for_apps` that an app may seal it; any other message is the service's own.
    """

    name: str
    queue: str
    max_age_seconds: int | None
    is_job: bool
    is_for_apps: bool = False


#: A queue for each thing that work waits for, so that each gets processes of its own.
PASSWORDS: Final = "passwords"  # waits for a core
OAUTH: Final = "oauth"  # waits for a provider, and a person waits for it
RENEWALS: Final = "renewals"  # waits for a provider, and no person waits for it
CONTROL: Final = "control"  # waits for nothing: sweeps, clean-up, shutdown

#: A person waits for these: after a minute they have given up, and the work would be wasted.
_PERSON_WAITS_SECONDS: Final = 60
#: A disconnect must be carried out however late it is; a copy of its message must not for ever.
_DISCONNECT_SECONDS: Final = 7 * 86400
#: A sweep that is late is replaced by the next one.
_SWEEP_SECONDS: Final = 60


def _build_request(name: str, queue: str) -> MessageType:
    """Return what an app asks for, and a person waits for."""
    return MessageType(name, queue, _PERSON_WAITS_SECONDS, is_job=True, is_for_apps=True)


HASH_PASSWORD: Final = _build_request("hash_password", PASSWORDS)
CHECK_PASSWORD: Final = _build_request("check_password", PASSWORDS)
#: For the shim alone, where a range server of breach lists is to be asked.
CHECK_POLICY: Final = MessageType("check_policy", PASSWORDS, _PERSON_WAITS_SECONDS, is_job=True)
EXCHANGE_CODE: Final = _build_request("exchange_code", OAUTH)
FETCH_USER_INFO: Final = _build_request("fetch_user_info", OAUTH)
REFRESH_TOKEN: Final = _build_request("refresh_token", OAUTH)
AUTHORIZE_DEVICE: Final = _build_request("authorize_device", OAUTH)
#: For the shim alone: it reads the token from its row, and no message carries one.
EXCHANGE_TOKEN: Final = MessageType("exchange_token", OAUTH, _PERSON_WAITS_SECONDS, is_job=True)
CREATE_CONNECTION: Final = _build_request("create_connection", OAUTH)
RENEW_CONNECTION: Final = _build_request("renew_connection", OAUTH)
VERIFY_CONNECTION: Final = _build_request("verify_connection", OAUTH)
REVOKE_CONNECTION: Final = MessageType(
    "revoke_connection", OAUTH, _DISCONNECT_SECONDS, is_job=True, is_for_apps=True
)
#: The shim reads what an issuer publishes from the database; a worker fetches it.
DISCOVER_PROVIDER: Final = MessageType(
    "discover_provider", OAUTH, _PERSON_WAITS_SECONDS, is_job=True
)
CHECK_PROVIDER: Final = MessageType("check_provider", OAUTH, _PERSON_WAITS_SECONDS, is_job=True)
RENEW_CONNECTIONS: Final = MessageType("renew_connections", RENEWALS, None, is_job=False)
#: One poll of a provider, for a user who has the device before them; a later one replaces it.
POLL_DEVICE: Final = MessageType("poll_device", OAUTH, _SWEEP_SECONDS, is_job=False)
POLL_DEVICES: Final = MessageType("poll_devices", CONTROL, _SWEEP_SECONDS, is_job=False)
RENEW_OATHS: Final = MessageType("renew_oaths", CONTROL, _SWEEP_SECONDS, is_job=False)
CLEAN_VERIFICATION: Final = MessageType("clean_verification", CONTROL, _SWEEP_SECONDS, is_job=False)
CLEAN_TOKENS: Final = MessageType("clean_tokens", CONTROL, _SWEEP_SECONDS, is_job=False)
#: Waits for the operator's webhook, as renewals wait for providers.
DELIVER_EVENTS: Final = MessageType("deliver_events", RENEWALS, _SWEEP_SECONDS, is_job=False)
CLEAN_EVENTS: Final = MessageType("clean_events", CONTROL, _SWEEP_SECONDS, is_job=False)
FORECAST_GRANTS: Final = MessageType("forecast_grants", CONTROL, _SWEEP_SECONDS, is_job=False)
RESEAL: Final = MessageType("reseal", CONTROL, _SWEEP_SECONDS, is_job=False)
#: A shutdown that is received a minute later was meant for a boot that has ended since.
SHUT_DOWN: Final = MessageType("shut_down", CONTROL, _PERSON_WAITS_SECONDS, is_job=True)
#: Stands in for bytes on a queue that could not be opened or parsed.
QUARANTINE: Final = MessageType("quarantine", CONTROL, None, is_job=False)

CATALOGUE: Final[dict[str, MessageType]] = {
    message.name: message
    for message in (
        HASH_PASSWORD,
        CHECK_PASSWORD,
        CHECK_POLICY,
        EXCHANGE_CODE,
        FETCH_USER_INFO,
        REFRESH_TOKEN,
        AUTHORIZE_DEVICE,
        EXCHANGE_TOKEN,
        CREATE_CONNECTION,
        RENEW_CONNECTION,
        VERIFY_CONNECTION,
        REVOKE_CONNECTION,
        DISCOVER_PROVIDER,
        CHECK_PROVIDER,
        RENEW_CONNECTIONS,
        POLL_DEVICE,
        POLL_DEVICES,
        RENEW_OATHS,
        CLEAN_VERIFICATION,
        CLEAN_TOKENS,
        DELIVER_EVENTS,
        CLEAN_EVENTS,
        FORECAST_GRANTS,
        RESEAL,
        SHUT_DOWN,
        QUARANTINE,
    )
}
QUEUES: Final = (PASSWORDS, OAUTH, RENEWALS, CONTROL)
