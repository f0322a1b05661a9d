"""Sign-ins that have begun and not ended: each state serves once, for ten minutes."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from enum import StrEnum

import peewee

from catfeeder.sealing import Secret
from models.database import Table
from models.fields import SealedField, UTCDateTimeField


class StateStatus(StrEnum):
    """How far a sign-in has come."""

    PENDING = "pending"
    EXCHANGING = "exchanging"
    DONE = "done"
    FAILED = "failed"


class TAB_VERIFICATION(Table):
    """One pending sign-in.

    Of the state, and of the secret of the browser that began, only the SHA-256 is kept, so that a
    stolen table signs nobody in.
    """

    state_hash = peewee.CharField(max_length=64, primary_key=True)
    provider = peewee.CharField(max_length=64)
    subject = peewee.CharField(max_length=255)
    scope = peewee.TextField()
    redirect_uri = peewee.TextField()
    return_to = peewee.TextField(null=True)
    browser_hash = peewee.CharField(max_length=64, null=True)
    #: The callback passes the answer on to the app, which knows its user's session, and redeems it.
    is_relayed = peewee.BooleanField(default=False)
    nonce = SealedField(null=True)
    code_verifier = SealedField(null=True)
    #: What the provider tells of the user at the first consent alone, until it is in a profile.
    told_user = SealedField(null=True)
    status = peewee.CharField(max_length=16)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(index=True)

    class Meta:
        """Names the table."""

        table_name = "verification"

    @classmethod
    def begin(
        cls,
        state: Secret,
        *,
        provider: str,
        subject: str | None,
        scope: str,
        redirect_uri: str,
        return_to: str | None,
        nonce: Secret | None,
        code_verifier: Secret | None,
        browser: Secret | None = None,
        is_relayed: bool = False,
        now: datetime,
        expires_at: datetime,
    ) -> None:
        """Record a sign-in that waits for the user to come back from the provider."""
        key = hash_state(state)
        cls.create(
            state_hash=key,
            provider=provider,
            subject=subject or "",
            scope=scope,
            redirect_uri=redirect_uri,
            return_to=return_to,
            browser_hash=hash_state(browser) if browser else None,
            is_relayed=is_relayed,
            nonce=cls.nonce.seal(key, nonce),
            code_verifier=cls.code_verifier.seal(key, code_verifier),
            status=StateStatus.PENDING,
            created_at=now,
            expires_at=expires_at,
        )

    @classmethod
    def of(cls, state: Secret) -> TAB_VERIFICATION | None:
        """Return the sign-in that this state belongs to, whatever its status."""
        row: TAB_VERIFICATION | None = cls.get_or_none(cls.state_hash == hash_state(state))
        return row

    def is_begun_by(self, browser: Secret | None) -> bool:
        """Tell whether a browser may end this sign-in, by the secret that it was given if any."""
        if self.browser_hash is None:
            return True
        return browser is not None and hmac.compare_digest(self.browser_hash, hash_state(browser))

    @classmethod
    def claim(cls, state: Secret, now: datetime) -> bool:
        """Take the one right to redeem this state's code; false when taken before or too late."""
        return bool(
            cls.update(status=StateStatus.EXCHANGING)
            .where(
                cls.state_hash == hash_state(state),
                cls.status == StateStatus.PENDING,
                cls.expires_at > now,
            )
            .execute()
        )

    @classmethod
    def end(cls, state: Secret, status: StateStatus) -> None:
        """Record how the exchange ended; nonce and verifier are of no more use and go."""
        cls.update(status=status, nonce=None, code_verifier=None).where(
            cls.state_hash == hash_state(state)
        ).execute()

    @classmethod
    def erase_expired(cls, now: datetime) -> int:
        """Delete what has expired and return how many rows that were."""
        return int(cls.delete().where(cls.expires_at <= now).execute())


def hash_state(state: Secret) -> str:
    """Return what is kept of a state, or of a browser's secret: 64 hexadecimal digits."""
    return hashlib.sha256(state.reveal_bytes()).hexdigest()
