"""`events`: the audit trail, as it is or as it grows."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from actors.events.audit import Event, list_events
from actors.events.kinds import EventKind
from worker.cli.terminal.options import check_choice
from worker.cli.terminal.output import print_page, to_text
from worker.cli.terminal.session import open_tables, see_app

_HEADS: Final = ("WHEN", "EVENT", "APP", "PROVIDER", "CONNECTION", "SUBJECT", "KEY", "DETAIL")
_INTERVAL_SECONDS: Final = 1.0
#: As many as are read at once; more than that in a second are not all shown.
_AT_ONCE: Final = 500


def print_events(
    limit: int,
    *,
    follows: bool,
    as_json: bool,
    app: str | None = None,
    since: datetime | None = None,
    cursor: str | None = None,
    wait: Callable[[], None] = lambda: time.sleep(_INTERVAL_SECONDS),
    **wanted: str | None,
) -> int:
    """Print events, the newest first; following, the newest last, until `wait` raises.

    Raises:
        AppUnknown: There is no such app.
        CursorInvalid: `cursor` is not of an earlier page.
    """
    check_choice("--kind", wanted.get("kind"), EventKind)
    open_tables()
    with see_app(app):
        if follows:
            _follow(min(limit, _AT_ONCE), wait, since, as_json=as_json, **wanted)
        page = list_events(limit=limit, since=since, cursor=cursor, **wanted)
    print_page(page["items"], page["next_cursor"], _HEADS, _to_row, as_json=as_json)
    return 0


def _follow(
    limit: int,
    wait: Callable[[], None],
    since: datetime | None,
    *,
    as_json: bool,
    **wanted: str | None,
) -> None:
    latest = 0
    while True:
        found = list_events(limit=limit, since=since, **wanted)["items"]
        for event in reversed([one for one in found if one["id"] > latest]):
            latest = event["id"]
            print(json.dumps(event) if as_json else "  ".join(map(to_text, _to_row(event))))
        # What comes within a second is one page, however few were asked for at first.
        limit = _AT_ONCE
        print(end="", flush=True)
        wait()


def _to_row(event: Event) -> tuple[object, ...]:
    return (
        *(event["created_at"], event["kind"], event["app"], event["provider"]),
        *(event["connection_id"], event["subject"], event["key_id"], event["detail"]),
    )
