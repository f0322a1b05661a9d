"""Message framing (RFC 9112 section 6): requests whose end two parsers could see differently."""

from __future__ import annotations

import re
from typing import Final

#: h11 takes a line feed alone for the end of a line, too.
_END_OF_HEADER: Final = re.compile(rb"\r?\n\r?\n")
_LENGTH: Final = re.compile(rb"^content-length[ \t]*:", re.IGNORECASE | re.MULTILINE)
_CODING: Final = re.compile(rb"^transfer-encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OLD_VERSION: Final = re.compile(rb"[^\n]*HTTP/1\.0\r?\n")


def find_framing_fault(received: bytes) -> str | None:
    """Return what is wrong with the framing of the request that begins here, once it has a header.

    A proxy that goes by the one field and a server that goes by the other part two requests at
    different places, so that one client's request begins with another's (request smuggling).
    """
    end = _END_OF_HEADER.search(received)
    if end is None:
        return None
    header = received[: end.start() + 1]
    lengths, codings = len(_LENGTH.findall(header)), len(_CODING.findall(header))
    if lengths and codings:
        return "Content-Length and Transfer-Encoding exclude each other."
    if lengths > 1 or codings > 1:
        return "The length of the body is given twice."
    if codings and _OLD_VERSION.match(header):
        return "HTTP/1.0 has no Transfer-Encoding."
    return None
