"""Faults of the service: each in words, with what to do about it and where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from catfeeder.clock import rfc3339
from catfeeder.messages import CONTROL, OAUTH, PASSWORDS, POLL_DEVICES, RENEWALS
from models.oauth.connections import ConnectionStatus
from worker.http.console.overview.counts import Undelivered
from worker.http.console.overview.state import CronLine, Overview, PausedProvider
from worker.http.pages.problem_pages import find_remedy
from worker.queue.report import Queue

#: How long the first message of a queue may wait: people wait for the first two.
_MAX_WAITS: Final = {PASSWORDS: 10, OAUTH: 10, RENEWALS: 300, CONTROL: 60}
_CRON_SLACK: Final = timedelta(seconds=60)
_NUMBERS: Final = re.compile("[0-9][0-9,.:TZ-]*")
_KIND: Final = re.compile("^[a-z_]+: ")
_DELIVERY_SLACK: Final = timedelta(minutes=5)


class Fault(NamedTuple):
    """Something that is wrong; `is_severe` where work stands still."""

    is_severe: bool
    what: str
    remedy: str
    link: str
    link_words: str

    @property
    def key(self) -> str:
        """The same as long as this is wrong, whatever its numbers and times become."""
        return _NUMBERS.sub("#", self.what)


def find_faults(state: Overview) -> list[Fault]:
    """Return what is wrong, the severe first."""
    faults = [
        *_find_outages(state),
        *(fault for queue in state.queues for fault in _find_queue_faults(queue)),
        *_find_cron_faults(state.crons, state.at),
        *map(_describe_provider, state.providers),
        *_find_webhook_faults(state.counts.undelivered if state.counts else [], state.at),
        *_find_connection_faults(state),
        *_find_version_faults(state),
        *(_warn(risk, "Change it there; docs/operations.md says how.") for risk in state.risks),
    ]
    return sorted(faults, key=lambda fault: not fault.is_severe)


def _warn(what: str, remedy: str, link: str = "", words: str = "") -> Fault:
    return Fault(False, what, remedy, link, words)


def _find_outages(state: Overview) -> Iterator[Fault]:
    for error in state.outages:
        yield Fault(True, error.public_detail, find_remedy(error.code), "", "")


def _find_queue_faults(queue: Queue) -> Iterator[Fault]:
    name, waiting = queue["queue"], queue["messages"]
    where = ("/console/queues", "Queues")
    paused_at = queue["paused_at"]
    if queue["paused"]:
        since = f" since {_tell(datetime.fromisoformat(paused_at))}" if paused_at else ""
        what = f"The queue {name} is paused{since}: {_count(waiting, 'message')} waiting."
        yield Fault(True, what, "Resume it when its workers may go on.", *where)
    elif not queue["workers"]:
        what = f"No worker performs the queue {name}: {_count(waiting, 'message')} waiting."
        remedy = f"Start the line of the Procfile that has `--queues … {name}`, and see its log."
        yield Fault(True, what, remedy, *where)
    elif (waits := queue["oldest_seconds"] or 0) > _MAX_WAITS[name]:
        what = f"The queue {name} is behind: its first message waits {waits:.0f} s."
        remedy = "Let more of its processes run ([Processes] of config.toml), or more machines."
        yield _warn(what, remedy, *where)
    if dead := sum(queue["dead_letters"].values()):
        reasons = ", ".join(sorted(queue["dead_letters"]))
        what = f"The queue {name} has {_count(dead, 'dead letter')}: {reasons}."
        link = f"/console/queues/{name}/dead-letters"
        yield _warn(what, "See why, then replay or discard them.", link, "Dead letters")


def _find_cron_faults(crons: list[CronLine], now: datetime) -> Iterator[Fault]:
    late = [
        cron
        for cron in crons
        # This one ticks only where a device waits for its user.
        if cron.is_on
        and cron.name != POLL_DEVICES.name
        and cron.next_at is not None
        and cron.next_at < now - _CRON_SLACK
    ]
    if late:
        first = min(late, key=lambda cron: cron.next_at or now)
        what = f"The schedule stands still: {first.name} was due at {_tell(first.next_at)}."
        remedy = "Start the Procfile's line `scheduler`: without it no token is renewed in time."
        yield Fault(True, what, remedy, "#crons", "Schedule")


def _describe_provider(provider: PausedProvider) -> Fault:
    owner = f" of the app {provider.app}" if provider.app else ""
    link = f"/console/providers/{provider.name}" + (f"?app={provider.app}" if provider.app else "")
    # The kind of a failure is for programs; what is said by hand stays as it is.
    reason = provider.reason if provider.is_held else _KIND.sub("", provider.reason or "")
    why = f": {reason}" if reason else "."
    what = f"Renewals with {provider.name}{owner} are paused{why}"
    remedy = (
        "They were paused by hand; resume them when they may go on."
        if provider.is_held
        else "They go on by themselves once it answers well; its check says what is wrong."
    )
    return _warn(what, remedy, link, provider.name)


def _find_webhook_faults(undelivered: list[Undelivered], now: datetime) -> Iterator[Fault]:
    for app, count, since in undelivered:
        if since < now - _DELIVERY_SLACK:
            lacks = f"lacks {_count(count, 'event')} since {_tell(since)}"
            what = f"The webhook of the app {app} {lacks}."
            remedy = "See what its receiver answered, and mend it; then they come by themselves."
            yield _warn(what, remedy, f"/console/webhooks?app={app}", "Webhooks")


def _find_connection_faults(state: Overview) -> Iterator[Fault]:
    failing = state.counts.connections[ConnectionStatus.RENEWAL_FAILING] if state.counts else 0
    if failing:
        what = f"{_count(failing, 'connection')} cannot be renewed at the moment."
        link = f"/console/connections?status={ConnectionStatus.RENEWAL_FAILING.value}"
        yield _warn(what, "Each says what its provider answered.", link, "Failing connections")


def _find_version_faults(state: Overview) -> Iterator[Fault]:
    versions = sorted({process["version"] for process in state.processes})
    if len(versions) > 1:
        what = f"Processes of {len(versions)} versions run: {', '.join(versions)}."
        remedy = "They work side by side during a rollout: restart those that are left behind."
        yield _warn(what, remedy, "#processes", "Processes")


def _tell(moment: datetime | None) -> str:
    """Return a time within a sentence, which the page shows in its viewer's zone."""
    return rfc3339(moment) or ""


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
