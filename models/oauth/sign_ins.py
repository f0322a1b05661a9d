"""Pending sign-in: its `state` (RFC 6749, 10.12) is redeemed once, within ten minutes."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from operator import or_
from typing import Any, Final, NotRequired, TypedDict, Unpack

import peewee

from catfeeder.sealing import Secret
from models.db.database import Table
from models.db.fields import JSONField, SealedField, UTCDateTimeField
from models.db.statements import find_by_key
from models.oauth.state_hashes import REFERENCE_DIGITS, hash_state
from models.sealing.row_macs import Authenticated, MacField

#: A user who returns after an outage may need what the provider sends once alone.
_USER_DATA_RETENTION: Final = timedelta(days=1)


class StateStatus(StrEnum):
    """The progress of a sign-in."""

    PENDING = "pending"
    EXCHANGING = "exchanging"
    DONE = "done"
    FAILED = "failed"


class SignInColumns(TypedDict):
    """The columns of a sign-in that are stored as they are given."""

    app: str
    provider: str
    scope: str
    redirect_uri: str
    return_to: str | None
    max_age: NotRequired[int | None]
    demands: NotRequired[Mapping[str, Any] | None]
    is_relayed: NotRequired[bool]
    variables: NotRequired[Mapping[str, str] | None]
    expires_at: datetime


class TAB_VERIFICATION(Authenticated, Table):
    """One pending sign-in.

    Only the SHA-256 of the state, and of the browser's secret, is stored: a stolen table gives no
    access.
    """

    sealed_owner = "this sign-in"
    sealed_remedy = "its user begins it again"

    state_hash = peewee.CharField(max_length=64, primary_key=True)
    app = peewee.CharField(max_length=32)
    provider = peewee.CharField(max_length=64)
    subject = peewee.CharField(max_length=255)
    scope = peewee.TextField()
    redirect_uri = peewee.TextField()
    return_to = peewee.TextField(null=True)
    browser_hash = peewee.CharField(max_length=64, null=True)
    #: The callback relays the answer to the app, which knows its user's session and redeems it.
    is_relayed = peewee.BooleanField(default=False)
    #: How many seconds before this sign-in the user may have logged in with the provider.
    max_age = peewee.IntegerField(null=True)
    #: `acr_values` with `acr_essential`, which the id_token is checked against, and `resource`.
    demands = JSONField(null=True)
    #: What the provider's URLs are filled in with for this sign-in, and for its connection.
    variables = JSONField(null=True)
    nonce = SealedField(null=True)
    code_verifier = SealedField(null=True)
    #: User data that the provider sends at the first consent alone, until it is in a profile.
    told_user = SealedField(null=True)
    #: Further parameters of the callback, which an app that redeems the code need not send back.
    callback_parameters = JSONField(null=True)
    status = peewee.CharField(max_length=16)
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(index=True)
    mac = MacField(
        *("app", "provider", "subject", "scope", "redirect_uri", "return_to", "browser_hash"),
        *("is_relayed", "max_age", "created_at", "expires_at", "variables", "demands"),
    )
    #: Goes with the secrets when the sign-in ends: one set back to pending has none.
    secrets_mac = MacField("nonce", "code_verifier")
    parameters_mac = MacField("callback_parameters", is_optional=True)

    class Meta:
        """Names the table."""

        table_name = "verification"

    @property
    def reference(self) -> str:
        """What the user may tell an operator, as `name_sign_in`."""
        return str(self.state_hash)[:REFERENCE_DIGITS]

    @classmethod
    def begin(
        cls,
        state: Secret,
        *,
        subject: str | None,
        nonce: Secret | None,
        code_verifier: Secret | None,
        browser: Secret | None = None,
        told_user: Secret | None = None,
        now: datetime,
        **columns: Unpack[SignInColumns],
    ) -> None:
        """Record a sign-in whose user was sent to the provider."""
        key = hash_state(state)
        cls.create(
            state_hash=key,
            subject=subject or "",
            browser_hash=hash_state(browser) if browser else None,
            nonce=cls.nonce.seal(key, nonce),
            code_verifier=cls.code_verifier.seal(key, code_verifier),
            told_user=cls.told_user.seal(key, told_user),
            status=StateStatus.PENDING,
            created_at=now,
            **columns,
        )

    @classmethod
    def find(cls, state: Secret) -> TAB_VERIFICATION | None:
        """Return the sign-in of a state, whatever its status."""
        row = find_by_key(cls, hash_state(state))
        return cls.authentic(row)

    def required_macs(self) -> list[MacField]:
        """Return the MACs that must hold: an ended sign-in has no secrets any more."""
        has_ended = self.status in (StateStatus.DONE, StateStatus.FAILED)
        return [mac for mac in self.mac_fields() if not (has_ended and mac.name == "secrets_mac")]

    @classmethod
    def find_by_hash_prefixes(cls, prefixes: Sequence[str]) -> list[TAB_VERIFICATION]:
        """Return the sign-ins whose state's hash begins with one of these, the latest first."""
        ranges = [
            (cls.state_hash >= prefix) & (cls.state_hash < f"{prefix}g") for prefix in prefixes
        ]
        if not ranges:
            return []
        query = cls.select().where(reduce(or_, ranges)).order_by(cls.created_at.desc())
        return cls.keep_authentic(query)

    def accepts_browser(self, browser: Secret | None) -> bool:
        """Tell whether the browser with this secret may end the sign-in."""
        if self.browser_hash is None:
            return True
        return browser is not None and hmac.compare_digest(self.browser_hash, hash_state(browser))

    @property
    def is_unbound(self) -> bool:
        """Whether any browser may attach its account to the app's user."""
        return bool(self.subject) and not self.is_relayed and self.browser_hash is None

    @classmethod
    def claim(cls, state: Secret, now: datetime) -> bool:
        """Claim the right to redeem this state's code; False if it was claimed or has expired."""
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
    def release(cls, state: Secret) -> None:
        """Give a claim back whose code was not sent."""
        cls.update(status=StateStatus.PENDING).where(
            cls.state_hash == hash_state(state), cls.status == StateStatus.EXCHANGING
        ).execute()

    @classmethod
    def end(cls, state: Secret, status: StateStatus) -> None:
        """Record how the exchange ended, and erase the secrets that it needed.

        User data that the provider sends once is kept until a profile has it.
        """
        erased = {cls.nonce: None, cls.code_verifier: None, cls.secrets_mac: None}
        if status is StateStatus.DONE:
            erased[cls.told_user] = None
        cls.update({cls.status: status, **erased}).where(
            cls.state_hash == hash_state(state)
        ).execute()

    @classmethod
    def store_callback_parameters(cls, state: Secret, parameters: Mapping[str, str]) -> None:
        """Store further parameters of the callback of a sign-in that has not ended."""
        key, columns = hash_state(state), {"callback_parameters": dict(parameters)}
        mac = cls.parameters_mac.sign({"state_hash": key, **columns})
        cls.update(parameters_mac=mac, **columns).where(
            cls.state_hash == key, cls.status == StateStatus.PENDING
        ).execute()

    @classmethod
    def erase_all(cls, app: str) -> None:
        """Delete every sign-in of an app."""
        cls.delete().where(cls.app == app).execute()

    @classmethod
    def erase_expired(cls, now: datetime) -> int:
        """Delete expired sign-ins; those with user data that is sent once, a day later.

        Returns:
            How many rows that were.
        """
        is_free = cls.told_user.is_null() | (cls.expires_at <= now - _USER_DATA_RETENTION)
        return int(cls.delete().where(cls.expires_at <= now, is_free).execute())
