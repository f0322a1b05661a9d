"""Wire format of a message: JSON in which secrets and bytes are marked, sealed as a whole."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from dramatiq import Encoder, Message
from dramatiq.encoder import MessageData

from catfeeder.errors import CatFeederError, SealBroken
from catfeeder.messages import QUARANTINE
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.keys import KeyName
from catfeeder.queue.requester import APP_OPTION, SEALED_BY_OPTION
from catfeeder.queue.trace_context import TRACE_OPTIONS, read_trace_options
from catfeeder.sealing import Secret

# The mark of a Secret keeps its text from ever being printed once it is decoded again.
_SECRET_MARK: Final = "$secret"
_BYTES_MARK: Final = "$bytes"
_CONTEXT: Final = "message"
#: Three times what the service takes of a request over HTTP, as JSON may write each character with
#: as many bytes. A queue of the largest must fit into a server's memory.
MAX_MESSAGE_BYTES: Final = 256 * 1024
#: Fields that stand in logs, on terminals and in the names of keys.
_NAMES: Final = ("queue_name", "actor_name", "message_id")
_NAME: Final = re.compile("[!-~]{1,255}")
#: The year 9999, at which dates end.
_LAST_TIMESTAMP: Final = 253_402_300_799_999
_FIELDS: Final[dict[str, type]] = {
    "queue_name": str,
    "actor_name": str,
    "args": list,
    "kwargs": dict,
    "options": dict,
    "message_id": str,
    "message_timestamp": int,
}


class UnreadableMessage(CatFeederError):
    """Raised by `SealedEncoder.open`, with the reason as its sentence."""

    message = "These bytes on a queue are not a message of ours."
    #: The job that will never be performed, where the message is known to be its own.
    job_id: str | None = None
    #: The name of the key that the job is answered under; None for the service's own.
    sealed_by: str | None = None


def to_json(value: object) -> bytes:
    """Write `value`, in which Secret and bytes may stand, as JSON."""
    return json.dumps(value, default=_mark, separators=(",", ":")).encode()


def from_json(text: bytes) -> Any:
    """Read what `to_json` wrote.

    Raises:
        ValueError: The text is not such JSON.
    """
    return json.loads(text, object_hook=_unmark)


def _mark(value: object) -> dict[str, str]:
    if isinstance(value, Secret):
        return {_SECRET_MARK: value.reveal()}
    if isinstance(value, bytes):
        return {_BYTES_MARK: base64.b64encode(value).decode()}
    raise TypeError(f"a message cannot carry a value of type {type(value).__name__}")


def _unmark(members: dict[str, Any]) -> Any:
    match members:
        case {"$secret": str(text), **rest} if not rest:
            return Secret(text)
        case {"$bytes": str(text), **rest} if not rest:
            return base64.b64decode(text, validate=True)
    return members


class SealedEncoder(Encoder):
    """Seals whole messages: the broker, its files and its dead letters hold no plaintext."""

    def __init__(self, sealer: QueueSealer) -> None:
        self.sealer = sealer

    def encode(self, data: MessageData) -> bytes:
        """Seal a message; one that an app has sealed, and that was opened, with that app's key."""
        key = find_key(data["options"])
        if key is not None or not self.sealer.own.is_service:
            # What an app may not say is not sent in its name either.
            options = data["options"]
            own_id = {"redis_message_id": options["redis_message_id"]}
            data = {**data, "options": {**own_id, **read_trace_options(options)}}
        return self.sealer.seal(to_json(data), _CONTEXT, key)

    def decode(self, data: bytes) -> MessageData:
        """Open a message; one that does not open comes back as a message to `quarantine`.

        Dramatiq's consumer thread dies of an exception here, and would strand the messages beside
        the bad one.
        """
        try:
            return self.open(data)
        except UnreadableMessage as error:
            return build_quarantine_message(QUARANTINE.queue, "", error, data)

    def open(self, data: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> MessageData:
        """Open a message of at most `max_bytes`.

        The seal alone says whose a message of an app is: `app` and `sealed_by` among its options
        are those of the key that opened it.

        Raises:
            UnreadableMessage: The bytes were not sealed with our key, or do not hold a message.
        """
        if len(data) > max_bytes:
            raise UnreadableMessage("It is larger than a message may be.")
        try:
            opened = self.sealer.open(data, _CONTEXT)
            fields = from_json(opened.plaintext)
        except SealBroken as error:
            raise UnreadableMessage(error.detail) from None
        except (ValueError, RecursionError):
            raise UnreadableMessage("It is not JSON.") from None
        message = _validate(fields)
        return message if opened.key.is_service else _attribute(message, opened.key)


def find_key(options: Mapping[str, Any]) -> KeyName | None:
    """Return the app's key that an opened message was sealed with; None for the service's own."""
    name = options.get(SEALED_BY_OPTION)
    return None if name is None else KeyName.parse(name)


def _attribute(message: MessageData, key: KeyName) -> MessageData:
    """Return an app's message as one of that app, whatever its text says."""
    if set(message["options"]) - TRACE_OPTIONS != {"redis_message_id"}:
        raise UnreadableMessage("Its options are not its own redis_message_id alone.")
    message["options"] |= {APP_OPTION: key.app, SEALED_BY_OPTION: str(key)}
    return message


def _validate(fields: Any) -> MessageData:
    if not isinstance(fields, dict) or set(fields) != set(_FIELDS):
        raise UnreadableMessage("It does not have the seven fields of a message.")
    for name, kind in _FIELDS.items():
        if not isinstance(fields[name], kind):
            raise UnreadableMessage(f"Its {name} is not of type {kind.__name__}.")
    for name in _NAMES:
        if not _NAME.fullmatch(fields[name]):
            raise UnreadableMessage(f"Its {name} is not 1 to 255 printable characters of ASCII.")
    if not 0 <= fields["message_timestamp"] <= _LAST_TIMESTAMP:
        raise UnreadableMessage("Its message_timestamp is no time in milliseconds since 1970.")
    if not isinstance(fields["options"].get("redis_message_id"), str):
        raise UnreadableMessage("Its options lack redis_message_id.")
    return fields


def build_quarantine_message(
    queue_name: str, redis_message_id: str, error: UnreadableMessage, body: bytes
) -> MessageData:
    """Return the fields of the message that stands in for an unreadable one on `queue_name`."""
    return Message(
        queue_name=queue_name,
        actor_name=QUARANTINE.name,
        args=(),
        kwargs={
            "queue": queue_name,
            "redis_message_id": redis_message_id,
            "reason": error.detail,
            "body": body,
            "code": error.code,
            "job_id": error.job_id,
            "sealed_by": error.sealed_by,
        },
        options={"redis_message_id": redis_message_id},
    ).asdict()
