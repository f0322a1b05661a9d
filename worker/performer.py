"""What `dramatiq worker.performer --queues ...` loads: the broker to perform messages with."""

from __future__ import annotations

import sys

from catfeeder.clock import utc_now
from catfeeder.errors import CatFeederError
from config import current_settings
from models.db.database import open_database
from models.migrate import join_service
from worker.consuming.broker import ConsumingBroker
from worker.process.build import build_broker
from worker.process.logs import set_up_logging


def _start() -> ConsumingBroker:
    settings = current_settings()
    set_up_logging(debug=settings.debug.debug)
    open_database(settings)
    join_service(utc_now())
    return build_broker(settings)


try:
    broker = _start()
except CatFeederError as error:
    # The sentence names the setting to look at; a traceback would bury it.
    sys.exit(str(error))
