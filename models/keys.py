"""The ids of the keys that stored secrets were sealed with: a wrong SECRET_KEY shows at start."""

from __future__ import annotations

from datetime import datetime

import peewee

from models.database import Table, sealer
from models.errors import ForeignSecretKey
from models.fields import UTCDateTimeField


class TAB_SEALING_KEYS(Table):
    """The id of a key that has sealed something here."""

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
        raise ForeignSecretKey(ForeignSecretKey.__doc__)


def note_secret_key(now: datetime) -> None:
    """Note the id of the key that this process seals with, before it seals anything.

    Raises:
        ForeignSecretKey: Something was sealed with another key already.
    """
    check_secret_key()
    TAB_SEALING_KEYS.insert(
        key_id=sealer().current_key_id.hex(), first_used_at=now
    ).on_conflict_ignore().execute()
