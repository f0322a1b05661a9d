"""Roots of the queue's keys (HKDF): from SECRET_KEY, or from QUEUE_KEYS where that is not given."""

from __future__ import annotations

from catfeeder.errors import InvalidQueueKey
from catfeeder.sealing import QUEUE_LABEL, Key, KeyRing, key_from_text, key_to_text
from config import ConfigurationError, Settings


def list_queue_roots(settings: Settings) -> list[Key]:
    """Return the keys from which those of the queue are derived, the current one first.

    Raises:
        ConfigurationError: SECRET_KEY and QUEUE_KEYS are missing, or a key of the latter is none.
    """
    if settings.secret_key is None and settings.queue_keys:
        try:
            return [key_from_text(text) for text in settings.queue_keys]
        except InvalidQueueKey:
            raise ConfigurationError(
                "QUEUE_KEYS must be what `python -m worker keys queue-roots` prints."
            ) from None
    return KeyRing(settings.secret_keys()).keys(QUEUE_LABEL)


def export_queue_roots(settings: Settings) -> str:
    """Return the value of QUEUE_KEYS for a process that needs the queue's keys alone.

    Raises:
        ConfigurationError: As `list_queue_roots`.
    """
    return ",".join(key_to_text(key) for key in list_queue_roots(settings))
