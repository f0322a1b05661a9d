"""What `dramatiq worker.performer --queues ...` loads: the broker to perform messages with."""

from __future__ import annotations

import sys

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from config import ConfigurationError, current_settings
from models.database import open_database
from models.migrate import join_service
from worker.consuming import ConsumingBroker
from worker.log_records import set_up_logging
from worker.performing import build_broker


def _start() -> ConsumingBroker:
    settings = current_settings()
    set_up_logging(debug=settings.debug.debug)
    open_database(settings)
    join_service(utc_now())
    return build_broker(settings)


try:
    broker = _start()
except (CatFeederError, ConfigurationError) as error:
    # The sentence names the setting to look at; a traceback would bury it.
    sys.exit(str(error))
