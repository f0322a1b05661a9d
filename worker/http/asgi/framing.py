"""Message framing (RFC 9112 section 6): requests whose end two parsers could see differently."""

from __future__ import annotations

from collections.abc import Sequence

import httptools


class FramingFault(httptools.HttpParserError):
    """A request that no other can safely follow on its connection; answered as a problem."""

    status = 400
    code = "http_malformed"
    message = "Invalid HTTP request received."

    def __init__(self) -> None:
        super().__init__(self.message)


class MethodUnknown(FramingFault):
    """The parser reads on by what a method may have behind it (RFC 9110 section 9.1)."""

    status = 501
    code = "method_unknown"
    message = "The method is none that HTTP has."


class LengthAmbiguous(FramingFault):
    """A proxy may go by the one field, and a server by the other."""

    message = "Content-Length and Transfer-Encoding exclude each other."


class LengthRepeated(FramingFault):
    """A proxy may go by the first, and a server by the last."""

    message = "The length of the body is given twice."


class LengthMalformed(FramingFault):
    """It is no number, or in another coding than chunks."""

    message = "The length of the body cannot be read."


class CodingTooNew(FramingFault):
    """A proxy of that version knows no chunks."""

    message = "HTTP/1.0 has no Transfer-Encoding."


class VersionUnknown(FramingFault):
    """The parser takes others, which have other rules."""

    message = "Another version of HTTP is spoken here."


class TunnelUnknown(FramingFault):
    """What follows would be another protocol's."""

    message = "No tunnel is made here."


class HeaderTooLarge(FramingFault):
    """A header, a trailer or the line of a chunk goes on and on."""

    message = "The header of the request is too large."


class TooManyAhead(FramingFault):
    """Requests come faster than their answers are awaited."""

    message = "Too many requests are sent ahead of their answers."


def check_framing(headers: Sequence[tuple[bytes, bytes]], version: str) -> int:
    """Return the length of a request's body, 0 for one in chunks; names are in lower case.

    A proxy that sees another end than the server parts two requests at different places, so that
    one client's request begins with another's (request smuggling).

    Raises:
        FramingFault: The connection has to end.
    """
    if version not in ("1.0", "1.1"):
        raise VersionUnknown
    lengths = [value for name, value in headers if name == b"content-length"]
    codings = [value for name, value in headers if name == b"transfer-encoding"]
    if lengths and codings:
        raise LengthAmbiguous
    if len(lengths) > 1 or len(codings) > 1:
        raise LengthRepeated
    if codings and version == "1.0":
        raise CodingTooNew
    if any(not value.isdigit() for value in lengths):
        raise LengthMalformed
    if any(value.lower() != b"chunked" for value in codings):
        raise LengthMalformed
    return int(lengths[0]) if lengths else 0
