"""Pipelining of Lua scripts: several calls to Redis in one round trip.

redis-py wraps each command in retries, metrics and more, at twice what the command itself costs. A
hash over HTTP calls half a dozen scripts, so they go straight to a connection.
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
    with borrow_connection(client.connection_pool) as connection:
        send_calls(connection, calls)
        answers = read_answers(connection, len(calls))
    return repeat_forgotten(client, calls, answers)


def send_calls(connection: Any, calls: Sequence[Call]) -> None:
    """Send calls in one piece; each will have its answer.

    Raises:
        redis.ConnectionError: The connection was lost.
    """
    _send(connection, [("EVALSHA", call.script.name, call) for call in calls])


def read_answers(connection: Any, count: int) -> list[Any]:
    """Return the next answers, of which each may be an error.

    Raises:
        redis.RedisError: The connection was lost.
    """
    return [_read_answer(connection) for _ in range(count)]


def repeat_forgotten(client: redis.Redis, calls: Sequence[Call], answers: list[Any]) -> list[Any]:
    """Call with its text each script that a server has forgotten; return all answers.

    A server that was restarted has forgotten the scripts, and learns each so.

    Raises:
        redis.RedisError: The connection was lost; any of them may have run.
    """
    unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
    if unknown:
        with borrow_connection(client.connection_pool) as connection:
            _send(connection, [("EVAL", calls[at].script.text, calls[at]) for at in unknown])
            for at in unknown:
                answers[at] = _read_answer(connection)
    return answers


def _send(connection: Any, commands: Iterable[tuple[str, str, Call]]) -> None:
    packed = [
        (command, script, len(call.keys), *call.keys, *call.arguments)
        for command, script, call in commands
    ]
    connection.send_packed_command(connection.pack_commands(packed))


def _read_answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
