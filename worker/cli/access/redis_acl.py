"""`keys redis-acl`: prints the least rights in Redis of the service, or of one app.

An app's client runs two scripts, which send and cancel a job, and waits for the job's end. Redis
checks each command of a script, too, and a user has every command on every key that it may use: so
an app may write over what waits, which it cannot read, and deletes nothing.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from typing import Final

from catfeeder.messages import CATALOGUE
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.jobs.scripts import CHANNEL_PREFIX, job_key
from catfeeder.queue.lanes import NOTIFICATION_PREFIX
from catfeeder.queue.lua_scripts import NOTHING_KEY
from catfeeder.queue.redis.faults import GRANTS
from config import current_settings

_PASSWORD_BYTES: Final = 32
#: Of the two scripts, of waiting in threads and in tasks, and of a connection.
_COMMANDS: Final = (
    *("eval", "evalsha", "script|load"),
    *("exists", "expire", "hgetall", "hincrby", "hlen", "hmget", "hset", "llen", "rpush"),
    *("publish", "blmove", "psubscribe", "punsubscribe", "subscribe", "unsubscribe"),
    *("ping", "select"),
)
_QUEUE_PARTS: Final = ("", ".msgs", ".lanes", ".backlog", ".idle")


def print_redis_acl(app: str | None) -> int:
    """Print a line for the users file of Redis, with a new password: of an app or of the service.

    The password goes to stderr, so that the line alone can go into the file.

    Raises:
        AppUnknown: There is no such app.
        ConfigurationError: The database cannot be used.
    """
    if app is not None:
        _check_app(app)
    user = f"{NAMESPACE}-{app or 'service'}"
    password = secrets.token_urlsafe(_PASSWORD_BYTES)
    digest = hashlib.sha256(password.encode()).hexdigest()
    rules = GRANTS if app is None else " ".join(list_app_rules(app))
    print(f"user {user} reset on #{digest} {rules}")
    print(f"The password of {user}, which is shown once: {password}", file=sys.stderr)
    print(f"Its REDIS_URL: redis://{user}:{password}@<host>:6379/0", file=sys.stderr)
    return 0


def list_app_rules(app: str) -> list[str]:
    """Return the rules for the user of an app: keys, channels, then commands."""
    queues = sorted({known.queue for known in CATALOGUE.values() if known.is_for_apps})
    keys = [job_key("*"), f"{CHANNEL_PREFIX}*", NOTHING_KEY]
    for queue in queues:
        names = (*_QUEUE_PARTS, f".lane:{app}")
        keys += [f"{NAMESPACE}:{queue}{part}" for part in names]
    channels = [f"{CHANNEL_PREFIX}*"]
    for queue in queues:
        channels += [f"{NOTIFICATION_PREFIX}{queue}", f"{NOTIFICATION_PREFIX}{queue}:*"]
    return [
        *(f"~{key}" for key in keys),
        *(f"&{channel}" for channel in channels),
        *(f"+{command}" for command in _COMMANDS),
    ]


def _check_app(app: str) -> None:
    from actors.apps.registration import describe_app
    from models.db.database import open_database

    open_database(current_settings(), may_create=False)
    describe_app(app)
