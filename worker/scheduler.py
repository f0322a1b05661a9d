"""`python -m worker scheduler`: a process that only emits the schedule, until a signal stops it."""

from __future__ import annotations

from config import current_settings
from worker.crons import Crons
from worker.process.exposures import warn_of_exposures
from worker.process.logs import set_up_logging
from worker.process.own_secrets import drop_other_secrets
from worker.process.readiness import report_ready
from worker.process.signals import StopSignals
from worker.telemetry.process_figures import SCHEDULER
from worker.telemetry.switch import start_tracing


def run_scheduler() -> int:
    """Emit the schedule until a signal requests a stop; return the exit status.

    The process replaces itself by one that holds the secrets of the schedule alone.

    Raises:
        ConfigurationError: REDIS_URL is not set, so that no worker would get what is emitted.
    """
    drop_other_secrets((), schedules=True)
    settings = current_settings()
    set_up_logging(settings)
    start_tracing(SCHEDULER)
    warn_of_exposures(settings)
    settings.required_redis_url()
    signals = StopSignals()
    crons = Crons(debug=settings.debug.debug, publishes_metrics=True)
    status = crons.inject_crons()
    if status == crons.success:
        report_ready()
        signals.wait()
        crons.stop()
    return status
