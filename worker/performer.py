"""Entry point of `dramatiq worker.performer --queues ...`: the broker that it consumes from."""

from __future__ import annotations

import sys

from catfeeder.errors import CatFeederError
from config import current_settings
from worker.consuming.broker import ConsumingBroker
from worker.consuming.start_checks.abilities import check_if_reachable
from worker.process.build import build_broker
from worker.process.join import join
from worker.process.logs import set_up_logging


def _build() -> ConsumingBroker:
    settings = current_settings()
    set_up_logging(settings)
    join(settings)
    broker = build_broker(settings)
    check_if_reachable(broker.client)
    return broker


try:
    broker = _build()
except CatFeederError as error:
    # The sentence names the setting to change; a traceback would hide it.
    sys.exit(str(error))
