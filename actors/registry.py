"""The table of actors: which function performs which message of the catalogue."""

from __future__ import annotations

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

import dramatiq

from catfeeder import messages
from catfeeder.errors import CatFeederError, OperatorError
from catfeeder.messages import MessageType

_LOG = logging.getLogger(__name__)

#: "module:function". A module is loaded when its first message arrives. So the process that hashes
#: passwords carries no OAuth, and the one that speaks OAuth no bcrypt.
PERFORMERS: Final[dict[MessageType, str]] = {
    messages.HASH_PASSWORD: "actors.passwords.hashing:hash_password",
    messages.CHECK_PASSWORD: "actors.passwords.hashing:check_password",
    messages.CHECK_POLICY: "actors.passwords.verdicts:check_policy",
    messages.EXCHANGE_CODE: "actors.oauth.exchange:exchange_code",
    messages.FETCH_USER_INFO: "actors.oauth.user_info:fetch_user_info",
    messages.REFRESH_TOKEN: "actors.oauth.refresh:refresh_token",
    messages.AUTHORIZE_DEVICE: "actors.devices.authorization:authorize_device",
    messages.EXCHANGE_TOKEN: "actors.derived_tokens.exchange:exchange_token",
    messages.CREATE_CONNECTION: "actors.renewal.creation:create_connection",
    messages.RENEW_CONNECTION: "actors.renewal.renew:renew_connection",
    messages.VERIFY_CONNECTION: "actors.moving.verification:verify_connection",
    messages.REVOKE_CONNECTION: "actors.connections.revocation:revoke_connection",
    messages.DISCOVER_PROVIDER: "actors.providers.config.discovery:discover_provider",
    messages.CHECK_PROVIDER: "actors.providers.config.checks.check:check_provider",
    messages.RENEW_CONNECTIONS: "actors.renewal.renew:renew_connections",
    messages.POLL_DEVICE: "actors.devices.polling:poll_device",
    messages.POLL_DEVICES: "actors.devices.sweep:poll_devices",
    messages.RENEW_OATHS: "actors.renewal.sweep:renew_oaths",
    messages.CLEAN_VERIFICATION: "actors.upkeep.cleanup:clean_verification",
    messages.CLEAN_TOKENS: "actors.upkeep.cleanup:clean_tokens",
    messages.DELIVER_EVENTS: "actors.events.webhooks:deliver_events",
    messages.CLEAN_EVENTS: "actors.upkeep.cleanup:clean_events",
    messages.FORECAST_GRANTS: "actors.connections.forecasts:forecast_grants",
    messages.RESEAL: "actors.upkeep.resealing:reseal",
    messages.SHUT_DOWN: "actors.server:shut_down",
    messages.QUARANTINE: "actors.queue.quarantine:quarantine",
}


def bind(broker: dramatiq.Broker) -> None:
    """Declare an actor on `broker` for every message, whichever queues a worker consumes."""
    for message_type, address in PERFORMERS.items():
        declare = dramatiq.actor(
            broker=broker,
            actor_name=message_type.name,
            queue_name=message_type.queue,
            max_age=_milliseconds(message_type.max_age_seconds),
            store_results=message_type.is_job,
            # A foreseen failure is the job's answer, which the caller gets, and not a traceback in
            # the log. What an operator must mend is logged below, in a sentence.
            throws=(CatFeederError,),
        )
        actor = declare(functools.partial(_perform, address))
        # At level DEBUG it prints arguments, and another app's client may send secrets unmarked.
        actor.logger.setLevel(logging.INFO)


def _perform(address: str, **arguments: Any) -> Any:
    try:
        return load_performer(address)(**arguments)
    except OperatorError as error:
        _LOG.warning("%s is left undone: %s", address.partition(":")[2], error)
        raise


@functools.cache
def load_performer(address: str) -> Callable[..., Any]:
    """Return the function at `address`, which is "module:function"; load its module if need be."""
    module, _, name = address.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _milliseconds(seconds: int | None) -> int | None:
    return None if seconds is None else seconds * 1000
