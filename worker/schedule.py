"""Schedule: which message is emitted at which interval, by config.toml."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, TypeAlias

from catfeeder.messages import (
    CLEAN_EVENTS,
    CLEAN_TOKENS,
    CLEAN_VERIFICATION,
    DELIVER_EVENTS,
    FORECAST_GRANTS,
    POLL_DEVICES,
    RENEW_OATHS,
    RESEAL,
    MessageType,
)
from config import CronsSettings

#: The messages that are emitted, each with its interval.
Schedule: TypeAlias = dict[MessageType, timedelta]


class Cron(NamedTuple):
    """A line of the schedule."""

    message: MessageType
    is_on: bool
    interval: timedelta


def list_crons(crons: CronsSettings) -> list[Cron]:
    """Return all lines, also those that are switched off."""
    lines = (
        (RENEW_OATHS, crons.renew_oath_tokens, crons.renew_oath_tokens_interval),
        (POLL_DEVICES, crons.poll_devices, crons.poll_devices_interval),
        (CLEAN_VERIFICATION, crons.clean_verification, crons.clean_verification_interval),
        (CLEAN_TOKENS, crons.clean_tokens, crons.clean_tokens_interval),
        (DELIVER_EVENTS, crons.deliver_events, crons.deliver_events_interval),
        (CLEAN_EVENTS, crons.clean_events, crons.clean_events_interval),
        (FORECAST_GRANTS, crons.forecast_grants, crons.forecast_grants_interval),
        (RESEAL, crons.reseal, crons.reseal_interval),
    )
    return [Cron(message, is_on, timedelta(seconds=seconds)) for message, is_on, seconds in lines]


def schedule(crons: CronsSettings) -> Schedule:
    """Return the messages that are emitted, each with its interval."""
    return {cron.message: cron.interval for cron in list_crons(crons) if cron.is_on}
