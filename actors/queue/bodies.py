"""Bodies of dead letters: what is shown of a sealed message, and the message that replays it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from dramatiq import Message
from dramatiq.encoder import MessageData

from catfeeder.messages import CATALOGUE, QUARANTINE
from catfeeder.queue.encoder import MAX_MESSAGE_BYTES, SealedEncoder, UnreadableMessage
from catfeeder.queue.requester import APP_OPTION, DEFAULT_APP, REQUESTER_OPTION, SEALED_BY_OPTION

#: The largest message in its envelope: in base64, with the reason, sealed once more.
_MAX_BODY_BYTES: Final = 2 * MAX_MESSAGE_BYTES
#: For whom, and under which key, a message is sent anew.
_KEPT_OPTIONS: Final = (APP_OPTION, REQUESTER_OPTION, SEALED_BY_OPTION)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is shown of a dead letter: its reason and, where its body opens, what it was about."""

    id: str
    died_at: datetime
    #: The code of the job's error, or of why it was set aside.
    reason: str
    detail: str | None = None
    actor: str | None = None
    #: The app that asked; None where the service itself did, or the body does not open.
    app: str | None = None
    job_id: str | None = None
    #: What it was about, where its arguments name that.
    provider: str | None = None
    connection_ids: tuple[str, ...] = ()


def describe_letter(
    encoder: SealedEncoder,
    letter_id: bytes,
    died_ms: float,
    body: bytes | None,
    reason: bytes | None,
) -> DeadLetter:
    """Return what is shown of a dead letter that died `died_ms` milliseconds after 1970."""
    inner, stand_in = _open_inner(encoder, body)
    return DeadLetter(
        id=letter_id.decode(errors="replace"),
        died_at=datetime.fromtimestamp(died_ms / 1000, UTC),
        reason=(reason or b"unknown").decode(),
        detail=stand_in.get("reason"),
        actor=inner["actor_name"] if inner else None,
        app=_find_app(inner) if inner else None,
        job_id=inner["message_id"] if inner and _is_job(inner) else None,
        provider=_find_provider(inner["kwargs"]) if inner else None,
        connection_ids=_find_connections(inner["kwargs"]) if inner else (),
    )


def build_replay(encoder: SealedEncoder, body: bytes | None) -> Message[Any] | None:
    """Return the message that replays a body, with a new age and without retries.

    None stands for a body that does not open, or whose message is not in the catalogue.
    """
    fields, _ = _open_inner(encoder, body)
    if fields is None or fields["actor_name"] not in CATALOGUE:
        return None
    options = fields["options"]
    return Message(
        queue_name=CATALOGUE[fields["actor_name"]].queue,
        actor_name=fields["actor_name"],
        args=tuple(fields["args"]),
        kwargs=fields["kwargs"],
        options={name: options[name] for name in _KEPT_OPTIONS if name in options},
        message_id=fields["message_id"],
    )


def find_app(encoder: SealedEncoder, body: bytes | None) -> str | None:
    """Return the app that asked; None where the service itself did, or the body does not open."""
    fields, _ = _open_inner(encoder, body)
    return _find_app(fields) if fields else None


def _open_inner(
    encoder: SealedEncoder, body: bytes | None
) -> tuple[MessageData | None, dict[str, Any]]:
    """Open a body, and what it stands in for; return that, and the arguments of the stand-in."""
    fields = _open(encoder, body)
    if fields is None or not _is_stand_in(fields):
        return fields, {}
    stand_in = fields["kwargs"]
    return _open(encoder, stand_in["body"]), stand_in


def _open(encoder: SealedEncoder, body: bytes | None) -> MessageData | None:
    try:
        return encoder.open(body or b"", _MAX_BODY_BYTES)
    except UnreadableMessage:
        return None


def _is_stand_in(fields: MessageData) -> bool:
    """Return whether it is the service's own `quarantine`, and not what an app named so."""
    is_ours = SEALED_BY_OPTION not in fields["options"]
    return is_ours and fields["actor_name"] == QUARANTINE.name


def _is_job(fields: MessageData) -> bool:
    known = CATALOGUE.get(fields["actor_name"])
    return known is not None and known.is_job


def _find_app(fields: MessageData) -> str | None:
    """Return whose message it is; a job of `default` that came over HTTP does not say so."""
    app: str | None = fields["options"].get(APP_OPTION)
    return app or (DEFAULT_APP if _is_job(fields) else None)


def _find_provider(arguments: Mapping[str, Any]) -> str | None:
    provider = arguments.get("provider")
    return provider if isinstance(provider, str) else None


def _find_connections(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the one connection of a message, or of those whose leases it carries."""
    leases = arguments.get("leases")
    found = [lease[:1] for lease in leases] if isinstance(leases, list) else []
    named = [arguments.get("connection_id"), *(name for names in found for name in names)]
    return tuple(name for name in named if isinstance(name, str))
