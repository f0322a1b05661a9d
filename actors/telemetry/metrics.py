"""The metrics of every process: jobs, renewals, providers, webhooks, schedule and the processes."""

from __future__ import annotations

from typing import Final

from actors.telemetry.series import Counter, Histogram, Metric
from catfeeder.messages import CATALOGUE

#: In seconds: a hash takes a tenth, a provider up to its time limit.
_JOB_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: In seconds: what a person waits for is refused after a minute.
_WAIT_BUCKETS: Final = (0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

SUCCEEDED: Final = "succeeded"
REFUSED: Final = "refused"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"

JOBS: Final = Counter(
    "catfeeder_jobs",
    "Messages that workers performed: succeeded, refused (the caller has the reason), failed (a "
    "dead letter), or skipped (cancelled, or too old to be worth doing).",
    ("actor", "outcome"),
    begun=tuple((name, outcome) for name in CATALOGUE for outcome in (SUCCEEDED, FAILED)),
)
JOB_SECONDS: Final = Histogram(
    "catfeeder_job_seconds",
    "How long workers took to perform a message.",
    ("actor", "outcome"),
    _JOB_BUCKETS,
)
QUEUE_WAIT: Final = Histogram(
    "catfeeder_queue_wait_seconds",
    "How long a message waited from its sending until a worker began it.",
    ("queue",),
    _WAIT_BUCKETS,
)
REQUEUED: Final = Counter(
    "catfeeder_messages_requeued",
    "Messages that a dead worker had in flight, and that were put back.",
    ("queue",),
)

RENEWALS: Final = Counter(
    "catfeeder_renewals",
    "Renewals by what came of them: renewed, paused (the provider was not asked), lease_lost, "
    "reauthorization_required, or the kind of the failure, after which they are tried again.",
    ("provider", "outcome"),
)
LEASE_LOSSES: Final = Counter(
    "catfeeder_lease_losses",
    "Renewals that lost their connection to another one: before anything was sent (begin), or with "
    "an outcome in hand (store).",
    ("stage",),
    begun=(("begin",), ("store",)),
)
PROVIDER_SECONDS: Final = Histogram(
    "catfeeder_provider_seconds",
    "How long providers took to answer, by what they were asked for; a failure counts too.",
    ("provider", "operation"),
    _JOB_BUCKETS,
)
WEBHOOK_DELIVERIES: Final = Counter(
    "catfeeder_webhook_deliveries",
    "Tries to deliver an event: delivered, failed (tried again later), or given_up.",
    ("outcome",),
    begun=(("delivered",), ("failed",), ("given_up",)),
)
TICKS: Final = Counter(
    "catfeeder_schedule_ticks",
    "Messages that the schedule emitted.",
    ("message",),
)
CPU_SECONDS: Final = Counter(
    "catfeeder_process_cpu_seconds",
    "Time of a core that processes used, user and system, by their line of the Procfile.",
    ("role",),
)
RESTARTS: Final = Counter(
    "catfeeder_process_restarts",
    "Processes that ended by themselves and that the supervisor of `make run` started anew.",
    ("role",),
)

METRICS: Final[dict[str, Metric]] = {
    metric.name: metric
    for metric in (
        JOBS,
        JOB_SECONDS,
        QUEUE_WAIT,
        REQUEUED,
        RENEWALS,
        LEASE_LOSSES,
        PROVIDER_SECONDS,
        WEBHOOK_DELIVERIES,
        TICKS,
        CPU_SECONDS,
        RESTARTS,
    )
}
