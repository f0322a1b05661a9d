"""Faults of a Redis that answers and cannot be used: each as a sentence with its remedy."""

from __future__ import annotations

from typing import Final

import redis

#: What a user of Redis needs for all that the service does (ACL, Redis 6 and later).
GRANTS: Final = "~catfeeder:* &catfeeder:bell:* &catfeeder:ended:* +@all -@admin -@dangerous +info"
_OLD: Final = "The Redis of REDIS_URL is too old: jobs need Redis 6.2 or later, or any Valkey."
_RIGHTS: Final = (
    "The Redis of REDIS_URL does not let our user do what jobs need: let its administrator grant "
    f"`ACL SETUSER <user> {GRANTS}`, or to an app's client what "
    "`python -m worker keys redis-acl <app>` prints."
)
_CLUSTER: Final = (
    "The Redis of REDIS_URL is a cluster, which spreads the keys of a job over its servers: set "
    "REDIS_URL to a single server, or to sentinels."
)
_PASSWORD: Final = (
    "The Redis of REDIS_URL refuses the user or the password: set the right ones in REDIS_URL."
)
_FOREIGN: Final = (
    "What listens at the address of REDIS_URL does not answer as a Redis or Valkey does: check "
    "host and port."
)
_DATABASE: Final = (
    "The Redis of REDIS_URL has no database of that number: write one from 0 to 15 behind its "
    "address, or raise `databases` there."
)
#: By a part of the error's text, within a script or not.
_SENTENCES: Final = {
    "No permissions to": _RIGHTS,
    "has no permissions": _RIGHTS,
    "can't run this command": _RIGHTS,
    "hash to the same slot": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
    "Hash slot not served": _CLUSTER,
    "cluster mode": _CLUSTER,
    "nknown command": _OLD,
    "nknown Redis command": _OLD,
    "DB index is out of range": _DATABASE,
}
_NO_SOCKET: Final = (
    "There is no socket at the path of REDIS_URL: check the path and that its server runs."
)


def describe_refusal(error: redis.RedisError) -> str | None:
    """Return the sentence for a server that answers and refuses what jobs need; None for others."""
    if isinstance(error, redis.AuthenticationError):
        return _PASSWORD
    if isinstance(error, redis.exceptions.InvalidResponse):
        return _FOREIGN
    if isinstance(error, redis.exceptions.MovedError):
        return _CLUSTER
    text = str(error)
    return next((sentence for part, sentence in _SENTENCES.items() if part in text), None)


def describe_absence(error: redis.RedisError) -> str | None:
    """Return the sentence for a server that does not answer, where there is a closer one."""
    is_missing = "connecting to /" in str(error) and "No such file" in str(error)
    return _NO_SOCKET if is_missing else None


def is_of_other_type(error: object) -> bool:
    """Return whether a key holds something else than ours: another client has written it."""
    return isinstance(error, redis.ResponseError) and str(error).startswith("WRONGTYPE")


def refuse_old_version(version: str) -> str | None:
    """Return the sentence for a server whose INFO names a version that is too old."""
    parts = version.split(".")
    known = tuple(int(part) for part in parts[:2] if part.isdecimal())
    return _OLD if len(known) == 2 and known < (6, 2) else None


def describe_loss(error: Exception) -> str:
    """Return why a connection to Redis was lost: a clause, without a full stop."""
    refusal = describe_refusal(error) if isinstance(error, redis.RedisError) else None
    late = isinstance(error, redis.TimeoutError | TimeoutError)
    return (refusal or str(error)).rstrip(". ") or (
        "it did not answer in time" if late else "the connection broke off"
    )
