"""Replay protection: the id of a message that was performed is spent for as long as its age allows.

The bytes of a sealed message can be copied from Redis and pushed once more. Its id on the queue is
sealed within them, so a worker that acknowledges a message also records that id in Redis, in the
same script, until the message is too old to be performed. A message is not spent by being fetched:
what a dead or stopping worker leaves is delivered anew. A replay of a dead letter, by an operator,
has a new id.

Messages without a maximum age are never spent, and safe to perform once more by themselves:

- `renew_connections`: each connection is renewed under the lease that the message carries, which
  ends with the renewal; the version fences the write (`models.renewal.leases`).
- `quarantine`: a letter's id is the hash of its bytes, so it is the same letter.

Each id takes some 120 bytes of Redis. At 1,000 messages a second, each remembered for its
maximum age of 60 seconds and `_MARGIN_SECONDS` at most, that makes 8.5 MB.
"""

from __future__ import annotations

import math
import time
from typing import Any, Final

from dramatiq import Message, MessageProxy

from catfeeder.messages import CATALOGUE
from catfeeder.queue.broker import NAMESPACE

SPENT_PREFIX: Final = f"{NAMESPACE}:spent:"
#: A sender's clock may be so far ahead; a message lives, and is remembered, longer by that.
MAX_AHEAD_SECONDS: Final = 3600
#: Another worker's clock may be behind, so that a message is still young there.
_MARGIN_SECONDS: Final = 10


def compute_spent_seconds(message: Message[Any] | MessageProxy) -> int:
    """Return how long a message could be performed once more; 0 where it needs no record."""
    known = CATALOGUE.get(message.actor_name)
    if known is None or known.max_age_seconds is None:
        return 0
    sent_at = message.message_timestamp / 1000
    return max(0, math.ceil(sent_at + known.max_age_seconds - time.time())) + _MARGIN_SECONDS
