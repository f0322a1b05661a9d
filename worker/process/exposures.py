"""Exposures: a process without a supervisor warns once of what others can get at."""

from __future__ import annotations

import logging
import os

import config
from config import Settings, describe_exposures
from worker.process.readiness import READY_VARIABLE

_LOG = logging.getLogger(__name__)


def warn_of_exposures(settings: Settings) -> None:
    """Log a warning for each; under `make run` the supervisor has logged them already."""
    if READY_VARIABLE not in os.environ:
        for sentence in describe_exposures(config.ENV, settings):
            _LOG.warning("%s", sentence)
