"""Permissions: a process without a supervisor warns once of secrets that other users can get at."""

from __future__ import annotations

import logging
import os

import config
from config import ENV_FILE, Settings, describe_open_files
from worker.process.readiness import READY_VARIABLE

_LOG = logging.getLogger(__name__)


def warn_of_open_files(settings: Settings) -> None:
    """Log a warning for each file; under `make run` the supervisor has logged them already."""
    if READY_VARIABLE not in os.environ:
        for sentence in describe_open_files(ENV_FILE, config.ENV, settings.var_dir):
            _LOG.warning("%s", sentence)
