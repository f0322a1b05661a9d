"""Pipelining of Lua scripts: several calls to Redis in one round trip.

redis-py wraps each command in retries, metrics and more, at twice what the command itself costs. A
hash over HTTP calls half a dozen scripts, so they go straight to a connection of the pool.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import redis
from redis.exceptions import NoScriptError, ResponseError

from catfeeder.queue.redis.idle_connections import borrow_connection

#: A server without free memory refuses a script whose first write may need some, and stops none
#: in the middle. So what follows a write that needs none is done.
NOTHING_KEY: Final = "catfeeder:nothing"
# A command that an app's user of Redis has anyway: it may delete nothing.
_WRITES_NOTHING: Final = f"redis.call('EXPIRE', '{NOTHING_KEY}', 1)\n"


class Script:
    """A Lua script, and the name by which Redis knows it."""

    def __init__(self, text: str, *, runs_when_full: bool = False) -> None:
        """Make a script of Lua; one that `runs_when_full` is not refused for want of memory.

        Scripts that empty the queues need that: a server full of jobs would never be rid of them.
        """
        self.text: Final = _WRITES_NOTHING + text if runs_when_full else text
        self.name: Final = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


class Call(NamedTuple):
    """A script with its keys and arguments."""

    script: Script
    keys: Sequence[str]
    arguments: Sequence[Any]


def call_script(client: redis.Redis, call: Call) -> Any:
    """Call a script, and return its answer.

    Raises:
        redis.RedisError: As any command does.
    """
    [answer] = call_scripts(client, [call])
    if isinstance(answer, Exception):
        raise answer
    return answer


def call_scripts(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """Call scripts and return their answers, of which each may be an error.

    None may depend on another: a script that the server has forgotten runs after the others.

    Raises:
        redis.RedisError: The connection was lost; any of them may have run.
    """
    answers = _round_trip(client, [("EVALSHA", call.script.name, call) for call in calls])
    # A server that was restarted has forgotten the scripts, and learns each with its next call.
    unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if unknown:
        again = _round_trip(client, [("EVAL", calls[at].script.text, calls[at]) for at in unknown])
        for at, answer in zip(unknown, again, strict=True):
            answers[at] = answer
    return answers


def _round_trip(client: redis.Redis, commands: Iterable[tuple[str, str, Call]]) -> list[Any]:
    packed = [
        (command, script, len(call.keys), *call.keys, *call.arguments)
        for command, script, call in commands
    ]
    with borrow_connection(client.connection_pool) as connection:
        connection.send_packed_command(connection.pack_commands(packed))
        return [_read_answer(connection) for _ in packed]


def _read_answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
