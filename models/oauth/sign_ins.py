"""Sign-ins that have begun and not ended: each state serves once, for ten minutes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table
from models.db.fields import SealedField, UTCDateTimeField

#: What is told once may be needed by a user who comes back after an outage, and by nobody later.
_TOLD_KEPT: Final = timedelta(days=1)


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
        told_user: Secret | None = None,
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
            told_user=cls.told_user.seal(key, told_user),
            status=StateStatus.PENDING,
            created_at=now,
            expires_at=expires_at,
        )

    @classmethod
    def find(cls, state: Secret) -> TAB_VERIFICATION | None:
        """Return the sign-in that this state belongs to, whatever its status."""
        row: TAB_VERIFICATION | None = cls.get_or_none(cls.state_hash == hash_state(state))
        return row

    def accepts_browser(self, browser: Secret | None) -> bool:
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
        """Record how the exchange ended; what is of no more use goes.

        What the provider has told once is, as long as no profile has it.
        """
        spent = {cls.nonce: None, cls.code_verifier: None}
        if status is StateStatus.DONE:
            spent[cls.told_user] = None
        cls.update({cls.status: status, **spent}).where(
            cls.state_hash == hash_state(state)
        ).execute()

    @classmethod
    def store_user_data(cls, state: Secret, told_user: Secret) -> None:
        """Keep what the provider tells once until a profile has it."""
        key = hash_state(state)
        cls.update(told_user=cls.told_user.seal(key, told_user)).where(
            cls.state_hash == key, cls.status != StateStatus.DONE
        ).execute()

    @classmethod
    def find_earlier_user_data(
        cls, provider: str, subject: str | None, browsers: Sequence[Secret]
    ) -> Secret | None:
        """Return what a provider told in a sign-in that came to nothing, of the same app's user or
        the same browser, the latest; both are whom the app and the browser themselves say.
        """
        is_same = cls.browser_hash.in_([hash_state(browser) for browser in browsers])
        if subject:
            is_same |= cls.subject == subject
        told = cls.select().where(cls.provider == provider, cls.told_user.is_null(False), is_same)
        row = told.order_by(cls.created_at.desc()).first()
        return None if row is None else cls.told_user.open(row)

    @classmethod
    def erase_expired(cls, now: datetime) -> int:
        """Delete what has expired, a day later where it holds what is told once.

        Returns:
            How many rows that were.
        """
        is_free = cls.told_user.is_null() | (cls.expires_at <= now - _TOLD_KEPT)
        return int(cls.delete().where(cls.expires_at <= now, is_free).execute())


def hash_state(state: Secret) -> str:
    """Return what is kept of a state, or of a browser's secret: 64 hexadecimal digits."""
    return hashlib.sha256(state.reveal_bytes()).hexdigest()
