"""The journal of renewals: what was sent to a provider, and its answer as it came."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from functools import lru_cache
from typing import Final

import peewee

from catfeeder.sealing import Key, KeyRing, Secret
from config import current_settings
from models.db.database import Table
from models.db.fields import SealedField, UTCDateTimeField

#: Under it SECRET_KEY yields the keys of the digests. What is stored hangs on it: never change it.
_DIGEST_LABEL: Final = "catfeeder/attempt/v1"


class TAB_ATTEMPTS(Table):
    """A renewal that has begun, for one version of its connection; the row goes when it ends.

    `tries` counts how often the token was sent since somebody last saw how a try ended; 2 or more
    say that a process was cut off. `answer` is what the provider said last, before anybody has
    understood it.
    """

    connection_id = peewee.CharField(max_length=36, primary_key=True)
    version = peewee.IntegerField()
    token_digest = peewee.CharField(max_length=64)
    tries = peewee.IntegerField()
    started_at = UTCDateTimeField()
    answer = SealedField(null=True)

    class Meta:
        """Names the table."""

        table_name = "attempts"

    @classmethod
    def enter(cls, connection_id: str, version: int, digest: str, now: datetime) -> bool:
        """Write down that a token is about to be sent; false when the connection has a row."""
        written = (
            cls.insert(
                connection_id=connection_id,
                version=version,
                token_digest=digest,
                tries=1,
                started_at=now,
            )
            .on_conflict_ignore()
            .as_rowcount()
        )
        return bool(written.execute())

    @classmethod
    def of(cls, connection_id: str) -> TAB_ATTEMPTS | None:
        """Return the attempt of a connection, if it has one."""
        row: TAB_ATTEMPTS | None = cls.get_or_none(cls.connection_id == connection_id)
        return row

    def enter_again(self, version: int, digest: str, tries: int, now: datetime) -> None:
        """Write down that a token is sent once more, or another one in its place."""
        self.version, self.token_digest, self.tries = version, digest, tries
        self.started_at, self.answer = now, None
        self.save(force_insert=False)

    @classmethod
    def leave_open(cls, connection_id: str, version: int, *, keep_answer: bool = False) -> None:
        """Write down that a try has ended, and that nobody knows what became of the token.

        An answer that nobody has understood is kept: somebody may yet.
        """
        changes = {cls.tries: 1} if keep_answer else {cls.tries: 1, cls.answer: None}
        cls.update(changes).where(cls._is(connection_id, version)).execute()

    @classmethod
    def end(cls, connection_id: str, version: int) -> None:
        """Erase an attempt, in one transaction with what came of it."""
        cls.delete().where(cls._is(connection_id, version)).execute()

    @classmethod
    def _is(cls, connection_id: str, version: int) -> peewee.Expression:
        return (cls.connection_id == connection_id) & (cls.version == version)


def seal_answer(connection_id: str, answer: Secret) -> bytes:
    """Return an answer in the form in which it is kept."""
    return TAB_ATTEMPTS.answer.seal(connection_id, answer) or b""


def token_digests(token: Secret) -> list[str]:
    """Return what tells a token from others and nothing else: by SECRET_KEY, and by former ones."""
    keys = _digest_keys(tuple(current_settings().secret_keys()))
    return [hmac.new(key, token.reveal_bytes(), hashlib.sha256).hexdigest() for key in keys]


@lru_cache(maxsize=4)
def _digest_keys(secret_keys: tuple[str, ...]) -> list[Key]:
    return KeyRing(secret_keys).keys(_DIGEST_LABEL)
