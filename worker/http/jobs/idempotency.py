"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a repeat gets the first job.

What is stored of a request is an HMAC with a key that only the service derives. The request may
hold a password, and a reader of Redis could try passwords against a plain digest. A second HMAC
binds the job's id to it and to the name of the claim, which is that of the app, the caller and the
key. So a claim that another program has written, or moved, leads to no job.

The job's id is chosen, and stored, before anything is sent. So whatever is lost on the way, a
repeat asks for that very job, which is on the queue once at most. A job that has failed for a
reason that passes is no answer to keep: the next repeat begins anew.
"""

from __future__ import annotations

import hmac
import time
import uuid
from contextlib import suppress
from typing import Any, Final, cast

import redis

from catfeeder.errors import QueueUnreachable
from catfeeder.queue.encoder import to_json
from catfeeder.queue.jobs.records import JOB_TTL_SECONDS
from catfeeder.queue.jobs.scripts import job_key
from catfeeder.queue.lua_scripts import Call, Script, call_script
from catfeeder.queue.redis.connection import translate_redis_errors
from catfeeder.queue.redis.faults import is_of_other_type
from catfeeder.queue.requester import acting_app
from catfeeder.sealing import Key, KeyRing
from worker.http.auth.api_keys import Caller
from worker.http.errors.refusals import IdempotencyKeyReused, IdempotencyKeySpoilt

_KEY_PREFIX: Final = "catfeeder:idempotency:"
_LABEL: Final = "catfeeder/idempotency/v1"
#: How often a repeat polls for the first request's job, which takes but a few round trips. After
#: that it sends the job itself: the process that was to do so has died.
_POLLS: Final = 20
_POLL_SECONDS: Final = 0.05

_REPLACE: Final = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
""")


class IdempotencyKeys:
    """Maps a caller's Idempotency-Key to its job, for an hour."""

    def __init__(
        self, client: redis.Redis, ring: KeyRing, poll_seconds: float = _POLL_SECONDS
    ) -> None:
        """`ring` holds the SECRET_KEY to derive from, and those before it."""
        self._redis = client
        self._key, *self._previous_keys = ring.keys(_LABEL)
        self._poll_seconds = poll_seconds

    def claim(
        self, caller: Caller, text: str, message_name: str, arguments: dict[str, Any]
    ) -> Claim:
        """Claim an Idempotency-Key for a request, or find the first request's job.

        Raises:
            IdempotencyKeyReused: The first request was another one.
            IdempotencyKeySpoilt: Another program has written what Redis holds of the key.
            QueueUnreachable: Redis did not answer.
        """
        request = ([acting_app.get(), caller.name, text], [message_name, arguments])
        claim = self._find_earlier(*request) or self._build_claim(self._key, *request)
        for _ in range(_POLLS):
            if claim.try_settle():
                return claim
            time.sleep(self._poll_seconds)
        claim.is_first = True
        return claim

    def find(
        self, caller: Caller, text: str, message_name: str, arguments: dict[str, Any]
    ) -> str | None:
        """Return the id of the first request's job, if this is a repeat; claim nothing.

        Raises:
            IdempotencyKeyReused, IdempotencyKeySpoilt, QueueUnreachable: As `claim`.
        """
        request = ([acting_app.get(), caller.name, text], [message_name, arguments])
        claim = self._find_earlier(*request) or self._build_claim(self._key, *request)
        return claim.find_job()

    def _find_earlier(self, key: list[Any], request: list[Any]) -> Claim | None:
        """Return the claim of a first request that came under an earlier SECRET_KEY."""
        claims = (self._build_claim(previous, key, request) for previous in self._previous_keys)
        return next((claim for claim in claims if claim.exists()), None)

    def _build_claim(self, derived: Key, key: list[Any], request: list[Any]) -> Claim:
        name = _KEY_PREFIX + _compute_mac(derived, key)
        return Claim(self._redis, derived, name, _compute_mac(derived, request))


def _compute_mac(key: Key, value: object) -> str:
    return hmac.digest(key, to_json(value), "sha256").hex()


class Claim:
    """A request's right to send the job of its key, which it has if `is_first`."""

    def __init__(self, client: redis.Redis, derived: Key, name: str, fingerprint: str) -> None:
        """Use `IdempotencyKeys.claim`."""
        self._redis = client
        self._derived = derived
        self._name = name
        self._fingerprint = fingerprint
        self.job_id = str(uuid.uuid4())
        self.is_first = False

    def exists(self) -> bool:
        """Return whether a request has used this key."""
        with translate_redis_errors():
            return bool(self._redis.exists(self._name))

    def try_settle(self) -> bool:
        """Settle which request is first; False while the first one's job is not queued yet."""
        with translate_redis_errors():
            if self._redis.set(self._name, self._write(), nx=True, ex=JOB_TTL_SECONDS):
                self.is_first = True
                return True
            if (stored := self._read()) is not None:
                self.job_id = self._check(stored)
            return bool(self._redis.exists(job_key(self.job_id)))

    def find_job(self) -> str | None:
        """Return the id of the first request's job; None where there was no such request."""
        with translate_redis_errors():
            stored = self._read()
        return None if stored is None else self._check(stored)

    def _write(self) -> str:
        """Return what is stored of a claim for the job."""
        mac = _compute_mac(self._derived, [self._name, self._fingerprint, self.job_id])
        return f"{self._fingerprint}:{self.job_id}:{mac}"

    def _read(self) -> bytes | None:
        try:
            return cast("bytes | None", self._redis.get(self._name))
        except redis.ResponseError as error:
            if is_of_other_type(error):
                raise IdempotencyKeySpoilt from None
            raise

    def _check(self, stored: bytes) -> str:
        """Return the id of the job that a claim leads to.

        Raises:
            IdempotencyKeyReused: The first request was another one.
            IdempotencyKeySpoilt: No process of the service has written it here.
        """
        fingerprint, _, rest = stored.decode(errors="replace").partition(":")
        job_id, _, mac = rest.partition(":")
        expected = _compute_mac(self._derived, [self._name, fingerprint, job_id])
        if not hmac.compare_digest(mac.encode(), expected.encode()):
            raise IdempotencyKeySpoilt
        if not hmac.compare_digest(fingerprint.encode(), self._fingerprint.encode()):
            raise IdempotencyKeyReused
        return job_id

    def renew(self) -> bool:
        """Claim the key anew for another job; False where a repeat beside this one has done so."""
        old, self.job_id = self._write(), str(uuid.uuid4())
        with translate_redis_errors():
            call = Call(_REPLACE, [self._name], [old, self._write(), JOB_TTL_SECONDS])
            self.is_first = bool(call_script(self._redis, call))
        return self.is_first

    def release(self) -> None:
        """Delete the claim, since this request became no job: a repeat starts afresh."""
        with suppress(QueueUnreachable), translate_redis_errors():
            self._redis.delete(self._name)
