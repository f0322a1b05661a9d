"""Faults of a request: pydantic's errors as JSON pointers (RFC 6901) and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from worker.http.errors.problems import Fault, escape_pointer_token

#: What a mistaken field looks like. Anything else may be a secret in the wrong place.
_NAME: Final = re.compile("[A-Za-z][A-Za-z0-9_]{0,39}")
#: Of lists, which pydantic tells of by what it has validated.
_BY_LENGTH: Final = {
    "too_short": "Give at least {min_length} here.",
    "too_long": "Give at most {max_length} here.",
}


def to_faults(entries: Iterable[Any], known: Sequence[str]) -> Iterable[Fault]:
    """Yield pydantic's entries without their `input`; `known` are the names of the body's fields.

    A name that the caller chose is repeated where it looks like one of a field.
    """
    for entry in entries:
        place, *path = entry["loc"]
        sentence = _to_sentence(entry, known if place == "body" else ())
        if entry["type"] == "extra_forbidden" and not _NAME.fullmatch(str(path[-1])):
            path.pop()
        if place == "body":
            pointer = "".join(f"/{escape_pointer_token(str(part))}" for part in path)
            yield Fault(sentence, entry["type"], pointer=f"#{pointer}")
        else:
            parameter = str(path[0]) if path else None
            yield Fault(sentence, entry["type"], parameter=parameter)


def _to_sentence(entry: Any, known: Sequence[str]) -> str:
    if entry["type"] in _BY_LENGTH:
        return _BY_LENGTH[entry["type"]].format_map(entry["ctx"])
    if entry["type"] != "extra_forbidden":
        return f"{entry['msg']}."
    if known and len(entry["loc"]) == 2:
        return f"There is no field of this name; there are {', '.join(known)}."
    return "There is a name here that is not known; /docs lists those that are."
