"""Whether a message is one that this process can perform, before any thread of it tries."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Mapping
from typing import Any

from dramatiq.encoder import MessageData

from actors.registry import PERFORMERS, load_performer
from catfeeder.encoder import UnreadableMessage
from catfeeder.messages import CATALOGUE
from catfeeder.requester import REQUESTER_OPTION, is_requester
from worker.consuming.in_flight import MOST_ENDS


class UnknownMessage(UnreadableMessage):
    """It is ours, but no actor of this queue takes it; a newer version of the service may."""

    message = "It is ours, but no actor of this queue takes it; a newer version of the service may."


class KillsWorkers(UnreadableMessage):
    """Three workers ended with it in hand, and the last of them held nothing else."""

    message = "Three workers ended with it in hand, and the last of them held nothing else."


def check_message(queue_name: str, redis_message_id: str, fields: MessageData, ends: int) -> None:
    """Let a message pass that an actor of ours takes from this queue.

    Raises:
        UnknownMessage: No actor has its name, or its actor takes other arguments.
        KillsWorkers: Whoever had it in hand has ended, `ends` times.
        UnreadableMessage: It is not what the client sends, or stands in another's place.
    """
    # Options steer Dramatiq: retries, delays, callbacks. Ours come from the catalogue alone.
    options = dict(fields["options"])
    asked_by = options.pop(REQUESTER_OPTION, None)
    if options != {"redis_message_id": redis_message_id}:
        raise UnreadableMessage("Its options are not its own redis_message_id alone.")
    if asked_by is not None and not is_requester(asked_by):
        raise UnreadableMessage("Its requester is not the id of an API key.")
    if fields["queue_name"] != queue_name:
        raise UnreadableMessage("It was meant for another queue.")
    error = _fault(queue_name, fields, ends)
    if error is not None:
        error.job_id = fields["message_id"]
        raise error


def _fault(queue_name: str, fields: MessageData, ends: int) -> UnreadableMessage | None:
    message_type = CATALOGUE.get(fields["actor_name"])
    if message_type is None or message_type.queue != queue_name:
        return UnknownMessage("No actor of this queue has the name that it gives.")
    if fields["args"] or not _takes(message_type.name, fields["kwargs"]):
        return UnknownMessage(f"Its arguments are not those that {message_type.name} takes.")
    if ends >= MOST_ENDS:
        return KillsWorkers()
    return None


def _takes(actor_name: str, arguments: Mapping[str, Any]) -> bool:
    signature, kinds = _parameters(actor_name)
    try:
        signature.bind(**arguments)
    except TypeError:
        return False
    return all(isinstance(value, kinds[name]) for name, value in arguments.items())


@functools.cache
def _parameters(actor_name: str) -> tuple[inspect.Signature, dict[str, tuple[type, ...]]]:
    """Return what the actor's function takes; looked up at its first message, which needs it."""
    function = load_performer(PERFORMERS[CATALOGUE[actor_name]])
    hints = typing.get_type_hints(function)
    return inspect.signature(function), {name: _kinds(hint) for name, hint in hints.items()}


def _kinds(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(kind for part in typing.get_args(hint) for kind in _kinds(part))
    return (typing.get_origin(hint) or hint,)
