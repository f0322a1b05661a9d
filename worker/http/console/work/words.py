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
    "queue_unusable": (
        "Redis refuses what jobs need: `python -m worker config check` says what to change."
    ),
    "queue_full": "A queue was at its limit. Replay it once workers have worked that off.",
    "renewal_broken": (
        "The renewal broke by an error that was not foreseen. The workers' log has the traceback; "
        "the token is renewed again by itself."
    ),
    "seal_broken": (
        "What the job had to read was sealed with another SECRET_KEY, or was changed. Set the "
        "former key as SECRET_KEY_PREVIOUS, if there is one."
    ),
    "breach_list_unavailable": (
        "No list of leaked passwords could be asked, and breach_unavailable is `refuse`. Look at "
        "breach_list and breach_range_url; the password has to be sent again."
    ),
}

#: What a job's status means to its reader.
STATUS_MEANINGS: Final[Mapping[str, str]] = {
    "queued": "It waits for a worker.",
    "running": "A worker performs it.",
    "succeeded": "It is done. Its result is for the caller alone, and is not shown here.",
    "failed": "It has failed, for the reason below.",
    "cancelled": "It was cancelled before a worker began it.",
}
