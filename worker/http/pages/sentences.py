"""Sentences with names in them that others choose: such a name turns nothing but itself."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

#: The classes of characters that turn the text around them (Unicode Standard Annex 9).
_DIRECTED: Final = frozenset(
    ["R", "AL", "AN", "RLE", "LRE", "RLO", "LRO", "PDF", "RLI", "LRI", "FSI", "PDI"]
)
_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP_ISOLATE: Final = "\u2069"
_ISOLATES: Final = frozenset("\u2066\u2067\u2068")
_PLACE: Final = re.compile(r"\{([a-z]+)\}")


def fill(sentence: str, **names: str) -> str:
    """Return a sentence with its places filled in; what stands in a name is no place."""
    return _PLACE.sub(lambda found: isolate(names.get(found[1], found[0])), sentence)


def isolate(name: str) -> str:
    """Return a name within isolates, which end the directions that it begins (UAX 9, X6a).

    So it does in titles and attributes too, where no element can. A name of one direction, as most
    are, stays as it is.
    """
    if not any(unicodedata.bidirectional(character) in _DIRECTED for character in name):
        return name
    return _FIRST_STRONG_ISOLATE + _balance(name) + _POP_ISOLATE


def _balance(name: str) -> str:
    """Return a name that ends the isolates that it begins, and no others."""
    kept, depth = [], 0
    for character in name:
        if character == _POP_ISOLATE and depth == 0:
            continue
        depth += (character in _ISOLATES) - (character == _POP_ISOLATE)
        kept.append(character)
    return "".join(kept) + _POP_ISOLATE * depth
