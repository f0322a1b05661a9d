"""Words about work: why a message became a dead letter, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: By the reason's code; any other is the code of the job's error.
REASON_MEANINGS: Final[Mapping[str, str]] = {
    "unreadable_message": (
        "It does not open with a queue key that serves. Look for a program with another SECRET_KEY "
        "on this queue; it cannot be replayed."
    ),
    "not_for_apps": (
        "An app has sealed what the service alone sends. Ask the owner of the app; then discard it."
    ),
    "unknown_message": (
        "No actor takes it. Update the workers if a newer release has sent it, then replay it."
    ),
    "kills_workers": (
        "Three workers died while they performed it. Look for the cause in their logs and in the "
        "machine's memory before it is replayed."
    ),
    "internal_error": (
        "The job broke by an error that was not foreseen. The workers' log has the traceback; "
        "replay it once that is mended."
    ),
    "database_unreachable": "The database was away. Replay it now that it is back.",
    "queue_unreachable": "Redis was away. Replay it now that it is back.",
}

#: What a job's status means to its reader.
STATUS_MEANINGS: Final[Mapping[str, str]] = {
    "queued": "It waits for a worker.",
    "running": "A worker performs it.",
    "succeeded": "It is done. Its result is for the caller alone, and is not shown here.",
    "failed": "It has failed, for the reason below.",
    "cancelled": "It was cancelled before a worker began it.",
}
