"""Producer: puts a message onto its queue, sealed, whatever else the process does with Dramatiq."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

import redis
from dramatiq import Message, Middleware
from dramatiq.brokers.redis import RedisBroker

from catfeeder.errors import MessageTooLarge
from catfeeder.messages import MessageType
from catfeeder.queue.encoder import MAX_MESSAGE_BYTES, SealedEncoder, find_key
from catfeeder.queue.jobs.index import INDEX_TEXT, index_key
from catfeeder.queue.jobs.parts import seal_job
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.jobs.store import JobRecord, JobStatus
from catfeeder.queue.lanes import DEPTH, NOTE_TEXT, backlog_key
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import QUEUE_FULL, translate_redis_errors
from catfeeder.queue.requester import (
    APP_OPTION,
    DEFAULT_APP,
    REQUESTER_OPTION,
    acting_app,
    requester,
)
from catfeeder.queue.trace_context import build_trace_options

#: All our queues live under this prefix, apart from other Dramatiq programs on the same server.
NAMESPACE: Final = "catfeeder"
#: A hash with an entry for each worker, as JSON: its `release`, and in `per_second` how many
#: messages of each queue it can perform.
WORKERS_KEY: Final = f"{NAMESPACE}:workers"
#: Dramatiq would requeue the messages of a worker by a clock. Here workers find dead ones by their
#: heartbeats (`worker.consuming.heartbeats`), and each addition bounds the dead letters.
_MAINTENANCE_CHANCE: Final = 0

#: The hash of the queues that the operator has paused, by when, in milliseconds since 1970: no
#: worker fetches from them.
PAUSED_KEY: Final = f"{NAMESPACE}:paused"

#: Of a number of Redis: 64 bits with their sign.
_MAX_COST_DIGITS: Final = 20

#: More messages than workers can perform must not fill the broker's memory.
MAX_QUEUE_LENGTH: Final = 100_000

# Dramatiq's own step of this name with the job's record before it and the app's lane after it, in
# one round trip. All of it happens or nothing: no message is there without its job, and no job
# twice. A busy worker takes the next message anyway, so one that is idle is woken. The script
# returns how many messages are to be sorted into lanes now.
ENQUEUE_SCRIPT: Final = Script(f"""
{NOTE_TEXT}
{INDEX_TEXT}
if math.max(redis.call('LLEN', KEYS[1]), redis.call('HLEN', KEYS[2])) >= {MAX_QUEUE_LENGTH} then
    return redis.error_reply('{QUEUE_FULL}')
end
local id, body, app, cost, job = unpack(ARGV)
if KEYS[3] and redis.call('EXISTS', KEYS[3]) == 1 then
    return redis.call('LLEN', KEYS[1])
end
if KEYS[3] then
    redis.call('HSET', KEYS[3], 'status', 'queued', 'message', id, 'job', job)
    redis.call('EXPIRE', KEYS[3], {JOB_TTL_SECONDS})
end
if KEYS[4] then add_to_index(KEYS[4], string.sub(KEYS[3], {len(job_key("")) + 1})) end
redis.call('HSET', KEYS[2], id, body)
local waiting = redis.call('RPUSH', KEYS[1], id)
note(id, app or '', cost or '')
return waiting
""")


class SealedBroker(RedisBroker):
    """A Redis broker that seals what it sends with its own encoder, never with the process's."""

    def __init__(
        self, client: redis.Redis, encoder: SealedEncoder, middleware: Sequence[Middleware] = ()
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=client,
            middleware=list(middleware),
            namespace=NAMESPACE,
            maintenance_chance=_MAINTENANCE_CHANCE,
        )
        self.encoder = encoder

    def enqueue(
        self, message: Message[Any], *, delay: int | None = None, job: JobRecord | None = None
    ) -> Message[Any]:
        """Put a message onto its queue, its job's record beside it, and return it as sent.

        Raises:
            ValueError: A delay was asked for. Dramatiq holds delayed messages in a worker's memory
                and loses them with the connection; what must happen later is a row in the database.
            MessageTooLarge: No worker would read it.
            QueueUnreachable: Redis did not answer; the message may or may not have been queued.
        """
        if delay is not None:
            raise ValueError("messages are never delayed: write a row that falls due instead")
        message = assign_redis_id(message)
        self.emit_before("enqueue", message, delay)
        self._send(message, job)
        self.emit_after("enqueue", message, delay)
        return message

    def _send(self, message: Message[Any], job: JobRecord | None) -> None:
        call = build_enqueue(message, job, self.encoder)
        with translate_redis_errors():
            try:
                call_script(self.client, call)
            except redis.ConnectionError:
                # Perhaps the server has taken it: the script takes no job twice.
                if job is None:
                    raise
                call_script(self.client, call)

    def depth(self, queue_name: str) -> int:
        """Return how many messages wait on a queue, those being worked on not counted."""
        with translate_redis_errors():
            return int(call_script(self.client, Call(DEPTH, [f"{NAMESPACE}:{queue_name}"], [])))

    def read_backlog(self, queue_name: str) -> dict[str, int]:
        """Return what the waiting messages of each app cost, as far as workers or the shim know."""
        with translate_redis_errors():
            found = self.client.hgetall(backlog_key(f"{NAMESPACE}:{queue_name}"))
        costs = cast("dict[bytes, bytes]", found)
        return {
            app.decode(errors="replace"): int(cost) for app, cost in costs.items() if _is_cost(cost)
        }


def _is_cost(value: bytes) -> bool:
    """Return whether the service can have counted so; another client may have written it."""
    return len(value) <= _MAX_COST_DIGITS and value.removeprefix(b"-").isdigit()


def assign_redis_id(message: Message[Any]) -> Message[Any]:
    """Return a copy of the message with a new id for its place on the queue."""
    return message.copy(options={"redis_message_id": str(uuid.uuid4())})


def build_enqueue(
    message: Message[Any],
    job: JobRecord | None,
    encoder: SealedEncoder,
    cost: int | None = None,
    *,
    is_listed: bool = False,
) -> Call:
    """Return the call that sends a message of `assign_redis_id`, with the record of its job.

    Workers assume a usual cost where it is left out. The app's index gets a job that `is_listed`.

    Raises:
        MessageTooLarge: No worker would read it.
    """
    queue = f"{NAMESPACE}:{message.queue_name}"
    keys = [queue, f"{queue}.msgs"]
    body = encoder.encode(message.asdict())
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge
    arguments = [message.options["redis_message_id"], body]
    if job is not None:
        keys.append(job_key(job.id))
        redis_message_id, key = message.options["redis_message_id"], find_key(message.options)
        sealed = seal_job(encoder.sealer, job, redis_message_id, key)
        arguments += [job.app, cost or "", sealed]
        if is_listed:
            keys.append(index_key(job.app))
    return Call(ENQUEUE_SCRIPT, keys, arguments)


def build_message(
    message_type: MessageType, arguments: dict[str, Any], message_id: str | None = None
) -> Message[Any]:
    """Build a message of the catalogue, which carries the app and the requester of this context.

    `message_id` is a new one where it is left out; a job that Redis knows by it is not sent again.
    """
    options = {
        APP_OPTION: acting_app.get(),
        REQUESTER_OPTION: requester.get(),
        **build_trace_options(),
    }
    if options[APP_OPTION] == DEFAULT_APP:
        del options[APP_OPTION]
    return Message(
        queue_name=message_type.queue,
        actor_name=message_type.name,
        args=(),
        kwargs=arguments,
        options={name: value for name, value in options.items() if value is not None},
        message_id=message_id or str(uuid.uuid4()),
    )


def build_queued_job(message: Message[Any], now: datetime, app: str | None = None) -> JobRecord:
    """Return the record that the job of a message begins with.

    `app` is whose client sends it; without one, the message says for whom the service does.
    """
    return JobRecord(
        message.message_id,
        message.actor_name,
        message.queue_name,
        JobStatus.QUEUED,
        now,
        app=app or message.options.get(APP_OPTION, DEFAULT_APP),
        redis_message_id=message.options.get("redis_message_id"),
    )
