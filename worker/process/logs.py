"""Structured logging: one set-up for every process, as text or, by LOG_FORMAT, as JSON lines.

A record names the job that its thread performs and its requester. A message appears as its name and
id, never with its arguments. Third parties log at INFO at most, whatever config.toml says: at DEBUG
they print what they are given, such as Peewee the parameters of its statements.
"""

from __future__ import annotations

import logging
from typing import Final

from dramatiq import Message, MessageProxy
from dramatiq.middleware import CurrentMessage

from catfeeder.queue.requester import requester
from catfeeder.queue.trace_context import request_id
from config import Settings

_OUR_LOGGERS: Final = ("actors", "catfeeder", "models", "worker")
_TEXT_FORMAT: Final = "[%(asctime)s] [%(threadName)s] [%(name)s] [%(levelname)s] %(message)s"
#: The attributes of a record that become fields; those of `extra=` follow by themselves.
_JSON_FORMAT: Final = "%(levelname)s %(name)s %(threadName)s %(message)s"
_JSON_NAMES: Final = {"levelname": "level", "name": "logger", "threadName": "thread"}


def set_up_logging(settings: Settings) -> None:
    """Configure all loggers of this process: one handler on stderr, one format."""
    handler = logging.StreamHandler()
    handler.setFormatter(_FORMATTERS[settings.log_format]())
    for each in (HideArguments(), AddContext()):
        handler.addFilter(each)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if settings.debug.debug else logging.INFO)


class NamingRequests(logging.Formatter):
    """Lines of text, each with the id of its request at the end, where it has one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  Of the library.
        """Return the line; a traceback follows it."""
        line = super().formatMessage(record)
        named = record.__dict__.get("request_id")
        return f"{line} [request {named}]" if named else line


def _build_text_formatter() -> logging.Formatter:
    return NamingRequests(_TEXT_FORMAT)


def _build_json_formatter() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(_JSON_FORMAT, rename_fields=_JSON_NAMES, timestamp=True)


_FORMATTERS: Final = {"text": _build_text_formatter, "json": _build_json_formatter}


class HideArguments(logging.Filter):
    """Prints a message as its name and id: its arguments may be secrets that no client wrapped."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace messages among the record's arguments, and accept the record."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_name_message, record.args))
        return True


class AddContext(logging.Filter):
    """Adds `job_id`, `message_name`, `requester` and `request_id`, where the thread has them."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set the fields that the record does not have, and accept it."""
        message = CurrentMessage.get_current_message()
        if message is not None:
            record.__dict__.setdefault("job_id", message.message_id)
            record.__dict__.setdefault("message_name", message.actor_name)
        if (key_id := requester.get()) is not None:
            record.__dict__.setdefault("requester", key_id)
        if (of_request := request_id.get()) is not None:
            record.__dict__.setdefault("request_id", of_request)
        # uvicorn's duplicate of the message for terminals.
        record.__dict__.pop("color_message", None)
        return True


def _name_message(value: object) -> object:
    if isinstance(value, Message | MessageProxy):
        return f"{value.actor_name} (job {value.message_id})"
    return value
