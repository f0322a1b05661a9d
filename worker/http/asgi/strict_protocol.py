"""Strict HTTP/1.1: what llhttp parses, within bounds, and one answer at a time to each connection.

llhttp, the parser of Node, takes a fraction of h11's time. It bounds neither a header nor the
requests that are sent ahead, hands on the fields behind a body as if they were in the header, and
reads no body of a request that would rather speak another protocol.
"""

from __future__ import annotations

import re
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from worker.http.asgi.corking import HeadWithBody
from worker.http.asgi.framing import (
    FramingFault,
    HeaderTooLarge,
    LengthMalformed,
    MethodUnknown,
    TooManyAhead,
    TunnelUnknown,
    check_framing,
)
from worker.http.errors.problems import build_problem

#: What is no method, but looks like one; anything else is no HTTP.
_METHOD: Final = re.compile(rb"[A-Za-z-]{1,32} [/*]")
#: Of the request line and all fields, trailers included.
MAXIMUM_HEADER_BYTES: Final = 64 * 1024
#: Requests of one connection that wait for the answer to an earlier one.
MAXIMUM_AHEAD: Final = 16


class StrictProtocol(HttpToolsProtocol):
    """A connection that ends at the first request that is at fault."""

    #: The request that is being answered, or was answered last; `cycle` may be one ahead of it.
    running: Any = None
    #: What has come since the parser last made something of it.
    _unparsed_bytes = 0
    _field_bytes = 0
    _is_in_header = False
    _has_failed = False
    #: What is to come of a body that the parser takes for another protocol.
    _passed_over_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Parse what has come, unless an earlier request was at fault."""
        self._unset_keepalive_if_required()
        if self._has_failed:
            return
        self._unparsed_bytes += len(data)
        try:
            self._parse(data)
            if self._unparsed_bytes > MAXIMUM_HEADER_BYTES:
                raise HeaderTooLarge
        except httptools.HttpParserError as error:
            self._fail(_find_fault(error, data))

    def _parse(self, data: bytes) -> None:
        while data:
            if self._passed_over_bytes:
                data = self._take_passed_over(data)
                continue
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # HTTP/1.1 goes on where a server ignores the wish (RFC 9110 section 7.8).
                data = data[upgrade.args[0] :]
            else:
                return

    def _take_passed_over(self, data: bytes) -> bytes:
        body, rest = data[: self._passed_over_bytes], data[self._passed_over_bytes :]
        self._passed_over_bytes -= len(body)
        self.on_body(body)
        if not self._passed_over_bytes:
            self.on_message_complete()
        return rest

    def _fail(self, fault: type[FramingFault]) -> None:
        """Answer the request that is at fault, or let the one before it be the last."""
        self._has_failed = True
        self.logger.warning(fault.message)
        running = self.running
        if running is None or running.response_complete:
            self._refuse(fault)
        elif running is not self.cycle or not running.more_body:
            running.keep_alive = False
            self.pipeline.clear()
            self.flow.pause_reading()
        elif running.response_started:
            self.transport.close()
        else:
            self._refuse(fault)

    def _refuse(self, fault: type[FramingFault]) -> None:
        answer = build_problem(
            fault.status, fault.code, fault.message, headers={"Connection": "close"}
        )
        fields = (name + b": " + value + b"\r\n" for name, value in answer.raw_headers)
        self.transport.write(STATUS_LINE[fault.status] + b"".join(fields) + b"\r\n" + answer.body)
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, whatever was sent ahead behind it."""
        if self.running is not None and not self.running.response_complete:
            self.running.disconnected = True
            self.running.message_event.set()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self.running = cycle
        cycle.transport = HeadWithBody(self.transport, self.loop)
        super()._start_asgi_task(cycle, app)

    def on_message_begin(self) -> None:
        """Begin with a request."""
        if len(self.pipeline) >= MAXIMUM_AHEAD:
            raise TooManyAhead
        super().on_message_begin()
        self._is_in_header, self._field_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count_field(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; one behind the body is dropped, as no proxy has looked at it."""
        self._count_field(len(name) + len(value) + len(": \r\n"))
        self._unparsed_bytes = 0
        if self._is_in_header:
            super().on_header(name, value)

    def _count_field(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > MAXIMUM_HEADER_BYTES:
            raise HeaderTooLarge

    def on_headers_complete(self) -> None:
        """Begin to answer, unless the end of the request is in doubt."""
        length = check_framing(self.headers, self.parser.get_http_version())
        if self.parser.get_method() == b"CONNECT":
            raise TunnelUnknown
        if self.parser.should_upgrade():
            if any(name == b"transfer-encoding" for name, _ in self.headers):
                raise LengthMalformed
            self._passed_over_bytes = length
        self._is_in_header, self._unparsed_bytes = False, 0
        if not self.url.startswith(b"/"):
            # It names another host than Host may (RFC 9112 section 3.2.2), and no path of ours.
            self.url = b"/" + self.url
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request; what is behind it is another."""
        self._unparsed_bytes = 0
        if not self._passed_over_bytes:
            super().on_message_complete()

    def _should_upgrade(self) -> bool:
        return False


def _find_fault(error: httptools.HttpParserError, data: bytes) -> type[FramingFault]:
    """Return what is wrong; what is raised within the parser is the context of its error."""
    for found in (error, error.__context__):
        if isinstance(found, FramingFault):
            return type(found)
    is_method = isinstance(error, httptools.HttpParserInvalidMethodError) and _METHOD.match(data)
    return MethodUnknown if is_method else FramingFault
