"""Queue keys: each app's own, of which a newer generation revokes the older, and the service's.

All are derived from a root that the service alone holds. So a worker finds the key of a message by
what its envelope names, and a key says which app it is: what it opens was sealed for that app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from catfeeder.errors import InvalidQueueKey
from catfeeder.queue.requester import is_app_id
from catfeeder.sealing import Key, derive_subkey, key_from_text, key_to_text

#: Generations count from 1; they fit into the four bytes of an envelope.
MAX_GENERATION: Final = 2**32 - 1
_PREFIX: Final = "cfq_"
_GENERATION: Final = re.compile("[1-9][0-9]{0,9}")
#: What `queue-key` printed while one key served all apps.
_FIRST_FORMAT: Final = re.compile("[A-Za-z0-9_-]{43}")


class KeyName(NamedTuple):
    """Which key it is: the app's id, the generation, and the key's id in hexadecimal.

    The service's own key has no app. Without a key's id, that of the current SECRET_KEY is meant.
    """

    app: str
    generation: int
    key_id: str = ""

    @property
    def is_service(self) -> bool:
        """Whether no app holds the key."""
        return not self.app

    def __str__(self) -> str:
        """Write the name as the option of a message; `parse` reads it."""
        return f"{self.app}.{self.generation}.{self.key_id}"

    @classmethod
    def parse(cls, text: str) -> KeyName:
        """Read what `str` wrote."""
        app, generation, key_id = text.split(".")
        return cls(app, int(generation), key_id)


#: The key of the shim, the schedule and the workers.
SERVICE: Final = KeyName("", 0)


def derive_queue_key(root: Key, name: KeyName) -> Key:
    """Derive the key of that name from the root of one SECRET_KEY."""
    label = "service" if name.is_service else f"app/{name.app}/{name.generation}"
    return derive_subkey(root, label)


@dataclass(frozen=True, slots=True)
class AppKey:
    """The queue key of one app."""

    app: str
    generation: int
    key: Key = field(repr=False)

    @classmethod
    def derive(cls, root: Key, app: str, generation: int) -> AppKey:
        """Derive an app's key from the root of one SECRET_KEY."""
        return cls(app, generation, derive_queue_key(root, KeyName(app, generation)))

    def to_text(self) -> str:
        """Write the key as an app gets it: `cfq_web-shop.1.` and 43 characters of base64url."""
        return f"{_PREFIX}{self.app}.{self.generation}.{key_to_text(self.key)}"

    @classmethod
    def parse(cls, text: str) -> AppKey:
        """Read what `to_text` wrote.

        Raises:
            InvalidQueueKey: The text is no such key, or one of the first wire format.
        """
        if _FIRST_FORMAT.fullmatch(text):
            raise InvalidQueueKey(
                "The queue key is one of an earlier release, which served all apps: each app has "
                "its own now, cfq_…, as `python -m worker keys queue --app ID` prints it."
            )
        app, _, rest = text.removeprefix(_PREFIX).partition(".")
        generation, _, key = rest.partition(".")
        is_named = is_app_id(app) and _GENERATION.fullmatch(generation) is not None
        if not text.startswith(_PREFIX) or not is_named or int(generation) > MAX_GENERATION:
            raise InvalidQueueKey
        return cls(app, int(generation), key_from_text(key))
