"""`python -m worker queue-key` and `webhook-key`: prints a key that is derived from SECRET_KEY."""

from __future__ import annotations

from catfeeder.sealing import QUEUE_LABEL, KeyRing, key_to_text
from config import current_settings


def print_queue_key() -> int:
    """Print the key for apps that use the queue directly.

    Raises:
        ConfigurationError: SECRET_KEY is not set.
    """
    keys = KeyRing(current_settings().secret_keys()).keys(QUEUE_LABEL)
    print(key_to_text(keys[0]))
    return 0


def print_webhook_key() -> int:
    """Print the key by which the webhook's receiver checks a signature.

    Raises:
        ConfigurationError: SECRET_KEY is not set.
    """
    # It loads the tables, which the other key does not need.
    from actors.webhooks import export_webhook_key

    print(export_webhook_key())
    return 0
