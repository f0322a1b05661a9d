"""Message validation: whether this process can perform a message, before a thread tries."""

from __future__ import annotations

import functools
import inspect
import time
import types
import typing
from collections.abc import Mapping
from typing import Any

from dramatiq.encoder import MessageData

from actors.queue.spent_messages import MAX_AHEAD_SECONDS
from actors.registry import PERFORMERS, load_performer
from catfeeder.messages import CATALOGUE
from catfeeder.queue.encoder import UnreadableMessage
from catfeeder.queue.requester import (
    APP_OPTION,
    DEFAULT_APP,
    REQUESTER_OPTION,
    SEALED_BY_OPTION,
    is_app_id,
    is_requester,
)
from catfeeder.queue.trace_context import TRACE_OPTIONS
from worker.consuming.in_flight.messages import MAX_WORKER_DEATHS


class UnknownMessage(UnreadableMessage):
    """Raised for a sealed message without an actor here; a rollout's newer release may have one."""

    message = "It is ours, but no actor of this queue takes it; a newer version of the service may."


class NotForApps(UnreadableMessage):
    """Raised for a message of the service itself that an app has sealed."""

    message = "It was sealed with an app's key, and is a message that the service alone sends."


class KillsWorkers(UnreadableMessage):
    """Raised for a poison message, after `MAX_WORKER_DEATHS` workers."""

    message = "Three workers ended with it in hand, and the last of them held nothing else."


class SpentMessage(UnreadableMessage):
    """Raised for a message that was performed, and whose bytes were put on the queue once more."""

    message = "It was performed before, and this is a copy of its bytes."


def check_message(
    queue_name: str, redis_message_id: str, fields: MessageData, worker_deaths: int
) -> None:
    """Accept a message that one of our actors takes from this queue.

    Raises:
        UnknownMessage: No actor has its name, or its actor takes other arguments.
        NotForApps: It was sealed with an app's key, and is none that apps may send.
        KillsWorkers: Too many workers died while they processed it.
        UnreadableMessage: It is not what the client sends, or stands in another's place.
    """
    # Options steer Dramatiq: retries, delays, callbacks. Ours come from the catalogue alone.
    options = {name: it for name, it in fields["options"].items() if name not in TRACE_OPTIONS}
    requester = options.pop(REQUESTER_OPTION, None)
    app = options.pop(APP_OPTION, DEFAULT_APP)
    sealed_by = options.pop(SEALED_BY_OPTION, None)
    if options != {"redis_message_id": redis_message_id}:
        raise UnreadableMessage("Its options are not its own redis_message_id alone.")
    if requester is not None and not is_requester(requester):
        raise UnreadableMessage("Its requester is not the id of an API key.")
    if not is_app_id(app):
        raise UnreadableMessage("Its app is not the id of an app.")
    if fields["queue_name"] != queue_name:
        raise UnreadableMessage("It was meant for another queue.")
    error = _find_fault(queue_name, fields, worker_deaths, is_of_app=sealed_by is not None)
    if error is not None:
        error.job_id, error.sealed_by = fields["message_id"], sealed_by
        raise error


def _find_fault(
    queue_name: str, fields: MessageData, worker_deaths: int, *, is_of_app: bool
) -> UnreadableMessage | None:
    message_type = CATALOGUE.get(fields["actor_name"])
    if message_type is None or message_type.queue != queue_name:
        return UnknownMessage("No actor of this queue has the name that it gives.")
    if is_of_app and not message_type.is_for_apps:
        return NotForApps()
    if fields["args"] or not _accepts(message_type.name, fields["kwargs"]):
        return UnknownMessage(f"Its arguments are not those that {message_type.name} takes.")
    if worker_deaths >= MAX_WORKER_DEATHS:
        return KillsWorkers()
    if message_type.max_age_seconds and _is_ahead(fields["message_timestamp"]):
        return UnreadableMessage("It was sent an hour from now: set the clock of its sender right.")
    return None


def _is_ahead(timestamp_ms: int) -> bool:
    return timestamp_ms / 1000 > time.time() + MAX_AHEAD_SECONDS


def _accepts(actor_name: str, arguments: Mapping[str, Any]) -> bool:
    signature, kinds = _parameters(actor_name)
    try:
        signature.bind(**arguments)
    except TypeError:
        return False
    return all(isinstance(value, kinds[name]) for name, value in arguments.items())


@functools.cache
def _parameters(actor_name: str) -> tuple[inspect.Signature, dict[str, tuple[type, ...]]]:
    """Return the signature of an actor's function; its first message loads its module."""
    function = load_performer(PERFORMERS[CATALOGUE[actor_name]])
    hints = typing.get_type_hints(function)
    return inspect.signature(function), {name: _kinds(hint) for name, hint in hints.items()}


def _kinds(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(kind for part in typing.get_args(hint) for kind in _kinds(part))
    return (typing.get_origin(hint) or hint,)
