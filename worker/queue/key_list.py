"""List of queue keys that serve: the generation of each app's, from the database or from Redis.

A process with the database reads it there. The passwords process has none: it begins with the list
as of its start, and takes later ones from Redis. The scheduler publishes them there, and so does
each change of an app, sealed with the service's own key.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import redis

from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.errors import OperatorError, QueueUnreachable, SealBroken
from catfeeder.queue.broker import NAMESPACE
from catfeeder.queue.envelope import QueueSealer
from catfeeder.queue.keys import KeyName
from catfeeder.queue.redis.connection import translate_redis_errors

KEY_LIST_KEY: Final = f"{NAMESPACE}:keys"
_CONTEXT: Final = "keys"
#: How long a process may go on without a look at the list: a revoked key opens nothing after it.
_LOOK_SECONDS: Final = 2.0
#: A process with the same list for longer refuses what apps seal: a revocation may be kept from it.
MAX_AGE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class KeyList:
    """By app, the generation from which on its queue keys serve; deleted apps among them.

    `maximum_rounds` has the apps for which the operator has set one, and `names` those that people
    call by another name than the id.
    """

    issued_at: datetime
    generations: Mapping[str, int]
    maximum_rounds: Mapping[str, int] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Write the list."""
        return json.dumps({**asdict(self), "issued_at": self.issued_at.isoformat()}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> KeyList:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        issued_at = datetime.fromisoformat(fields["issued_at"])
        # A list of an earlier release has no names.
        names = fields.get("names", {})
        return cls(issued_at, fields["generations"], fields["maximum_rounds"], names)


#: What a process knows that has no database: it takes the list that is published.
UNKNOWN: Final = KeyList(datetime.fromtimestamp(0, UTC), {})


def read_stored() -> KeyList:
    """Return the list of the database.

    Raises:
        DatabaseUnreachable: It did not answer.
    """
    # Imported late: the passwords process has no tables.
    from models.apps import TAB_APPS, TAB_RETIRED_QUEUE_KEYS
    from models.db.database import hold_connection

    issued_at = utc_now()
    with hold_connection():
        retired, rows = TAB_RETIRED_QUEUE_KEYS.list_generations(), TAB_APPS.list_all()
    generations = retired | {row.id: row.queue_generation for row in rows}
    bounds = {row.id: row.settings.get("maximum_rounds") for row in rows}
    names = {row.id: row.name for row in rows if row.name != row.id}
    return KeyList(
        issued_at, generations, {app: most for app, most in bounds.items() if most}, names
    )


def publish(client: redis.Redis, sealer: QueueSealer, found: KeyList | None = None) -> None:
    """Publish a list in Redis, that of the database where none is given.

    Raises:
        QueueUnreachable, DatabaseUnreachable: One of them did not answer.
    """
    sealed = sealer.seal((found or read_stored()).to_json(), _CONTEXT)
    with translate_redis_errors():
        client.set(KEY_LIST_KEY, sealed)


class KeyListPublisher:
    """The scheduler's part: publishes the list each second, while the database is away as well.

    Without the database no key is revoked, so what it said last is true until it is back.
    """

    def __init__(self, client: Client) -> None:
        self._client = client.redis
        self._sealer = client.broker.encoder.sealer
        self._last: KeyList | None = None

    def publish(self) -> None:
        """Publish the list of the database.

        Raises:
            QueueUnreachable, DatabaseUnreachable: One of them did not answer.
        """
        self._last = read_stored()
        publish(self._client, self._sealer, self._last)

    def repeat(self) -> None:
        """Publish the list that was read last as one of now; without Redis, do nothing."""
        if self._last is not None:
            with contextlib.suppress(QueueUnreachable):
                publish(self._client, self._sealer, replace(self._last, issued_at=utc_now()))


def read_published(client: redis.Redis, sealer: QueueSealer) -> KeyList | None:
    """Return the list that was published, or None where there is none of the service's own.

    Raises:
        QueueUnreachable: Redis did not answer.
    """
    with translate_redis_errors():
        sealed = cast("bytes | None", client.get(KEY_LIST_KEY))
    try:
        opened = sealer.open(sealed or b"", _CONTEXT)
    except SealBroken:
        return None
    return KeyList.from_json(opened.plaintext) if opened.key.is_service else None


class ServingKeys:
    """Which queue keys serve, by all lists that this process has read: none ever counts back.

    So a list of before a revocation, put back into Redis, revives no key; it is refused once it is
    older than `MAX_AGE`.
    """

    def __init__(
        self,
        read: Callable[[], KeyList | None],
        known: KeyList | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """Read further lists by `read`, of which each may raise that its source is away."""
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._generations: dict[str, int] = {}
        self._maximum_rounds: Mapping[str, int] = {}
        self._names: Mapping[str, str] = {}
        self._issued_at: datetime | None = None
        self._look_at = 0.0
        if known is not None:
            self._take(known)

    def check(self, key: KeyName) -> None:
        """Accept a key that serves; a look at the list costs a round trip, and comes seldom.

        Raises:
            SealBroken: It was revoked, its app is unknown, or the list is out of date.
        """
        with self._lock:
            known = self._generations.get(key.app, 0)
            if key.generation > known or time.monotonic() >= self._look_at:
                self.look()
            known = self._generations.get(key.app, 0)
            issued_at = self._issued_at
        if issued_at is None or self._clock() - issued_at > MAX_AGE:
            raise SealBroken("Whether its app's key still serves is unknown: no scheduler says so.")
        if known == 0:
            raise SealBroken("It is of an app that does not exist.")
        if key.generation < known:
            raise SealBroken("The queue key of its app that sealed it was revoked.")
        if key.generation > known:
            raise SealBroken("The queue key of its app has no such generation yet.")

    def find_maximum_rounds(self, app: str) -> int | None:
        """Return the most rounds that an app may ask for, by the latest list; None for no bound."""
        return self._maximum_rounds.get(app)

    def find_app_name(self, app: str) -> str | None:
        """Return what people call an app, by a list of these seconds; None where that is its id."""
        with self._lock:
            if time.monotonic() >= self._look_at:
                self.look()
            return self._names.get(app)

    def look(self) -> None:
        """Read the list; while its source is away, what is known stays until it is too old."""
        self._look_at = time.monotonic() + _LOOK_SECONDS
        try:
            found = self._read()
        except (OperatorError, QueueUnreachable):
            return
        if found is not None:
            self._take(found)

    def _take(self, found: KeyList) -> None:
        if abs(self._clock() - found.issued_at) > MAX_AGE:
            return
        for app, generation in found.generations.items():
            self._generations[app] = max(generation, self._generations.get(app, 0))
        if self._issued_at is None or found.issued_at >= self._issued_at:
            self._issued_at, self._names = found.issued_at, found.names
            self._maximum_rounds = found.maximum_rounds
