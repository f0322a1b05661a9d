"""Keeps the arguments of messages out of the log, whoever prints a message."""

from __future__ import annotations

import logging
from typing import Final

from dramatiq import Message, MessageProxy

#: The thread tells which job a line belongs to.
LOG_FORMAT: Final = "[%(asctime)s] [%(threadName)s] [%(name)s] [%(levelname)s] %(message)s"


class NamesForMessages(logging.Filter):
    """Prints a message as its name and id: the id leads to the job, arguments may be secrets.

    Our clients wrap secrets so that they print nothing; an app that writes to the queue by means of
    its own may have forgotten to.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record, and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_named, record.args))
        return True


def _named(value: object) -> object:
    if isinstance(value, Message | MessageProxy):
        return f"{value.actor_name} (job {value.message_id})"
    return value


def set_up_logging(*, debug: bool) -> None:
    """Apply the filter to the handlers that were set up, and the level of config.toml."""
    root = logging.getLogger()
    if debug:
        root.setLevel(logging.DEBUG)
    for handler in root.handlers:
        handler.addFilter(NamesForMessages())
