"""Key ids: a wrong SECRET_KEY shows at start, by the ids of the keys that sealed stored secrets."""

from __future__ import annotations

from datetime import datetime

import peewee

from models.db.database import Table, database, sealer
from models.db.errors import ForeignSecretKey, SecretKeyTooNew
from models.db.fields import UTCDateTimeField


class TAB_SEALING_KEYS(Table):
    """The id of a key that has sealed a secret in this database.

    In the end every secret is sealed with the key that came into use last.
    """

    key_id = peewee.CharField(max_length=8, primary_key=True)
    first_used_at = UTCDateTimeField()

    class Meta:
        """Names the table."""

        table_name = "sealing_keys"


def check_secret_key() -> None:
    """Check that this process can open every stored secret.

    Raises:
        ForeignSecretKey: A secret was sealed with a key that SECRET_KEY does not yield.
    """
    known = {key.hex() for key in sealer().key_ids}
    if any(row.key_id not in known for row in TAB_SEALING_KEYS.select()):
        raise ForeignSecretKey


def is_key_recorded() -> bool:
    """Tell whether a key was recorded here, so that a new SECRET_KEY would open nothing."""
    is_there = database.table_exists(TAB_SEALING_KEYS._meta.table_name)
    return bool(is_there and TAB_SEALING_KEYS.select().exists())


def record_secret_key(now: datetime) -> None:
    """Record the id of the key that this process seals with, before it seals anything.

    Raises:
        ForeignSecretKey: A secret was sealed with a key that SECRET_KEY does not yield.
    """
    check_secret_key()
    if not TAB_SEALING_KEYS.select().where(_is_current()).exists():
        TAB_SEALING_KEYS.insert(
            key_id=sealer().current_key_id.hex(), first_used_at=now
        ).on_conflict_ignore().execute()


def prefer_secret_key(now: datetime) -> None:
    """Declare that every secret shall be sealed with this process's current key.

    Raises:
        SecretKeyTooNew: The running service lacks the key, and could not open what it seals.
    """
    if not TAB_SEALING_KEYS.select().where(_is_current()).exists():
        raise SecretKeyTooNew
    if not is_preferred():
        TAB_SEALING_KEYS.update(first_used_at=now).where(_is_current()).execute()


def is_preferred() -> bool:
    """Tell whether no other key came into use since this process's current one.

    While SECRET_KEY is changed on one machine after the other, some still use the old one.
    """
    current = TAB_SEALING_KEYS.get_or_none(_is_current())
    return (
        current is not None
        and not _find_others()
        .where(TAB_SEALING_KEYS.first_used_at > current.first_used_at)
        .exists()
    )


def has_other_keys() -> bool:
    """Tell whether a secret may be sealed with another key than this process's current one."""
    return bool(_find_others().exists())


def erase_other_keys() -> None:
    """Erase the ids of this process's previous keys, with which nothing is sealed any more."""
    known = [key.hex() for key in sealer().key_ids]
    TAB_SEALING_KEYS.delete().where(~_is_current(), TAB_SEALING_KEYS.key_id.in_(known)).execute()


def _is_current() -> peewee.Expression:
    return TAB_SEALING_KEYS.key_id == sealer().current_key_id.hex()


def _find_others() -> peewee.ModelSelect[TAB_SEALING_KEYS]:
    return TAB_SEALING_KEYS.select().where(~_is_current())
