"""Idempotency-Key: a repeated request is answered with the first one's job.

After draft-ietf-httpapi-idempotency-key-header. What is remembered of a request is an HMAC with a
key that only the service derives: the request may hold a password, and whoever reads Redis could
try passwords against a plain digest.

The job's id is chosen, and remembered, before anything is sent. So whatever is lost on the way, a
repeat asks for that very job, which is on the queue once at most.
"""

from __future__ import annotations

import hmac
import time
import uuid
from contextlib import suppress
from typing import Any, Final, cast

import redis

from catfeeder.encoder import to_json
from catfeeder.errors import QueueUnreachable
from catfeeder.job_scripts import JOB_TTL_SECONDS, job_key
from catfeeder.redis_connection import translate_redis_errors
from catfeeder.sealing import Key, KeyRing
from worker.http.auth.api_keys import Caller
from worker.http.errors.refusals import IdempotencyKeyReused

_KEY_PREFIX: Final = "catfeeder:idempotency:"
_LABEL: Final = "catfeeder/idempotency/v1"
#: A repeat that comes while the first request is taken in looks this often, though that takes but a
#: few round trips. Then it sends the job itself: the process that was to do so has died.
_LOOKS: Final = 20
_PAUSE_SECONDS: Final = 0.05


class IdempotencyKeys:
    """Remembers for an hour which job a caller's Idempotency-Key stands for."""

    def __init__(self, client: redis.Redis, ring: KeyRing) -> None:
        """Take the Redis client and the ring to derive from."""
        self._redis = client
        self._key, *self._previous_keys = ring.keys(_LABEL)

    def claim(
        self, caller: Caller, text: str, message_name: str, arguments: dict[str, Any]
    ) -> Claim:
        """Take an Idempotency-Key for a request, or find the job of the first request with it.

        Raises:
            IdempotencyKeyReused: The first request was another one.
            QueueUnreachable: Redis did not answer.
        """
        request = ([caller.name, text], [message_name, arguments])
        claim = self._earlier(*request) or self._claim(self._key, *request)
        for _ in range(_LOOKS):
            if claim.try_settle():
                return claim
            time.sleep(_PAUSE_SECONDS)
        claim.is_first = True
        return claim

    def _earlier(self, key: list[Any], request: list[Any]) -> Claim | None:
        """Return the claim of a first request that came while SECRET_KEY was another one."""
        claims = (self._claim(previous, key, request) for previous in self._previous_keys)
        return next((claim for claim in claims if claim.exists()), None)

    def _claim(self, derived: Key, key: list[Any], request: list[Any]) -> Claim:
        name = _KEY_PREFIX + _mac(derived, key)
        return Claim(self._redis, name, _mac(derived, request))


def _mac(key: Key, value: object) -> str:
    return hmac.digest(key, to_json(value), "sha256").hex()


class Claim:
    """One request's right to send the job of its key: `is_first` tells whether it has that."""

    def __init__(self, client: redis.Redis, name: str, fingerprint: str) -> None:
        """Use `IdempotencyKeys.claim`."""
        self._redis = client
        self._name = name
        self._fingerprint = fingerprint
        self.job_id = str(uuid.uuid4())
        self.is_first = False

    def exists(self) -> bool:
        """Tell whether anybody has used this key."""
        with translate_redis_errors():
            return bool(self._redis.exists(self._name))

    def try_settle(self) -> bool:
        """Try to settle who is first; false while the first one's job is not on the queue yet."""
        own = f"{self._fingerprint}:{self.job_id}"
        with translate_redis_errors():
            if self._redis.set(self._name, own, nx=True, ex=JOB_TTL_SECONDS):
                self.is_first = True
                return True
            stored = cast("bytes | None", self._redis.get(self._name)) or b""
        fingerprint, _, job_id = stored.decode().partition(":")
        if stored and not hmac.compare_digest(fingerprint, self._fingerprint):
            raise IdempotencyKeyReused
        # A process of an earlier release names the job once it is sent.
        self.job_id = job_id or self.job_id
        with translate_redis_errors():
            return bool(self._redis.exists(job_key(self.job_id)))

    def release(self) -> None:
        """Let a repeat try afresh, since this request became no job."""
        with suppress(QueueUnreachable), translate_redis_errors():
            self._redis.delete(self._name)
