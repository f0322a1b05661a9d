"""The ids of the keys that stored secrets were sealed with: a wrong SECRET_KEY shows at start."""

from __future__ import annotations

from datetime import datetime

import peewee

from models.db.database import Table, sealer
from models.db.errors import ForeignSecretKey, SecretKeyTooNew
from models.db.fields import UTCDateTimeField


class TAB_SEALING_KEYS(Table):
    """The id of a key that has sealed something here.

    The one that came into use last is that which everything is sealed with in the end.
    """

    key_id = peewee.CharField(max_length=8, primary_key=True)
    first_used_at = UTCDateTimeField()

    class Meta:
        """Names the table."""

        table_name = "sealing_keys"


def check_secret_key() -> None:
    """Make sure that what is stored can be opened.

    Raises:
        ForeignSecretKey: Something was sealed with a key that SECRET_KEY does not yield.
    """
    known = {key.hex() for key in sealer().key_ids}
    if any(row.key_id not in known for row in TAB_SEALING_KEYS.select()):
        raise ForeignSecretKey


def record_secret_key(now: datetime) -> None:
    """Note the id of the key that this process seals with, before it seals anything.

    Raises:
        ForeignSecretKey: Something was sealed with another key already.
    """
    check_secret_key()
    if not TAB_SEALING_KEYS.select().where(_is_ours()).exists():
        TAB_SEALING_KEYS.insert(
            key_id=sealer().current_key_id.hex(), first_used_at=now
        ).on_conflict_ignore().execute()


def prefer_secret_key(now: datetime) -> None:
    """Declare the key that this process seals with to be the one for everything.

    Raises:
        SecretKeyTooNew: The service does not have it yet, and could not open what it seals.
    """
    if not TAB_SEALING_KEYS.select().where(_is_ours()).exists():
        raise SecretKeyTooNew
    if not is_preferred():
        TAB_SEALING_KEYS.update(first_used_at=now).where(_is_ours()).execute()


def is_preferred() -> bool:
    """Tell whether no other key came into use since the one that this process seals with.

    While SECRET_KEY is being changed on one machine after the other, some are still at the old one.
    """
    ours = TAB_SEALING_KEYS.get_or_none(_is_ours())
    return (
        ours is not None
        and not _others().where(TAB_SEALING_KEYS.first_used_at > ours.first_used_at).exists()
    )


def has_other_keys() -> bool:
    """Tell whether something may be sealed with another key than this process's."""
    return bool(_others().exists())


def erase_other_keys() -> None:
    """Erase the ids of our earlier keys: nothing is sealed with them any more."""
    known = [key.hex() for key in sealer().key_ids]
    TAB_SEALING_KEYS.delete().where(~_is_ours(), TAB_SEALING_KEYS.key_id.in_(known)).execute()


def _is_ours() -> peewee.Expression:
    return TAB_SEALING_KEYS.key_id == sealer().current_key_id.hex()


def _others() -> peewee.ModelSelect[TAB_SEALING_KEYS]:
    return TAB_SEALING_KEYS.select().where(~_is_ours())
