"""Names that commands had before they were nouns and verbs; they go on, and help shows the new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_RENAMED: Final = {
    "make-key": ("keys", "make"),
    "queue-key": ("keys", "queue"),
    "queue-roots": ("keys", "queue-roots"),
    "webhook-key": ("keys", "webhook"),
    "redis-acl": ("keys", "redis-acl"),
    "check-provider": ("providers", "check"),
    "replay": ("queues", "replay"),
    "discard": ("queues", "discard"),
}
#: Nouns that were commands without a verb, and what they did then.
_WITHOUT_VERB: Final = {"apps": "list", "queues": "list"}
_QUEUES_VERBS: Final = ("list", "pause", "resume", "dead-letters", "replay", "discard")
_HELP: Final = "--help"


def translate_old_names(arguments: Sequence[str]) -> list[str]:
    """Return what is typed in the old shape in the new one; all else as it is."""
    match list(arguments):
        case [str(name), *rest] if name in _RENAMED:
            return [*_RENAMED[name], *rest]
        case ["check-rows", "--accept", *rest]:
            return ["rows", "accept", *rest]
        case ["check-rows", *rest]:
            return ["rows", "list", *rest]
        case [str(name), *rest] if name in _WITHOUT_VERB and _is_without_verb(rest):
            return [name, _WITHOUT_VERB[name], *rest]
        case ["queues", str(queue), *rest] if queue not in (*_QUEUES_VERBS, _HELP):
            return ["queues", "dead-letters", queue, *rest]
        case same:
            return same


def _is_without_verb(rest: Sequence[str]) -> bool:
    return not rest or (rest[0].startswith("-") and rest[0] != _HELP)
