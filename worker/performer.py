"""Entry point of `dramatiq worker.performer --queues ...`: the broker that it consumes from."""

from __future__ import annotations

import sys

from actors.providers.config.configured_presets import add_configured_presets
from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import open_database
from models.migrate import join_service
from worker.consuming.broker import ConsumingBroker
from worker.consuming.broker_abilities import check_if_reachable
from worker.process.build import build_broker
from worker.process.logs import set_up_logging
from worker.process.open_files import warn_of_open_files


def _build() -> ConsumingBroker:
    settings = current_settings()
    set_up_logging(settings)
    warn_of_open_files(settings)
    open_database(settings)
    join_service(utc_now())
    add_configured_presets(utc_now())
    broker = build_broker(settings)
    check_if_reachable(broker.client)
    return broker


try:
    broker = _build()
except CatFeederError as error:
    # The sentence names the setting to change; a traceback would hide it.
    sys.exit(str(error))
