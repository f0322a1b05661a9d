"""`webhooks`: deliveries with their receivers' answers, and sending anew."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from actors.events.deliveries import Delivery, list_deliveries, resend_deliveries
from catfeeder.clock import utc_now
from models.webhook_deliveries import DeliveryStatus
from worker.cli.terminal.options import check_choice
from worker.cli.terminal.output import print_json, print_members, print_page
from worker.cli.terminal.session import open_tables, see_app
from worker.errors import ServiceFailure

_HEADS: Final = ("EVENT", "APP", "KIND", "STATUS", "ATTEMPTS", "STATUS CODE", "ANSWER", "NEXT AT")


class DeliveryUnknown(ServiceFailure):
    """Raised where an event was never tried, or is erased."""

    message = "There is no delivery of that event: `webhooks list` shows those that there are."


def print_deliveries(
    app: str | None, status: str | None, *, limit: int, cursor: str | None, as_json: bool
) -> int:
    """Print a page of deliveries.

    Raises:
        AppUnknown, CursorInvalid: There is no such app, or page.
    """
    check_choice("--status", status, DeliveryStatus)
    open_tables()
    with see_app(app):
        page = list_deliveries(status=status, cursor=cursor, limit=limit)
    print_page(page["items"], page["next_cursor"], _HEADS, _to_row, as_json=as_json)
    return 0


def _to_row(one: Delivery) -> tuple[object, ...]:
    return (
        *(one["event_id"], one["app"], one["kind"], one["status"], one["attempts"]),
        *(one["answer_status"], one["answer"], one["next_attempt_at"]),
    )


def print_delivery(event_id: int, *, as_json: bool) -> int:
    """Print the delivery of an event.

    Raises:
        DeliveryUnknown: There is none.
    """
    open_tables()
    found = list_deliveries(cursor=str(event_id + 1), limit=1)["items"]
    if not found or found[0]["event_id"] != event_id:
        raise DeliveryUnknown
    if as_json:
        print_json(found[0])
    else:
        print_members(found[0])
    return 0


def resend(event_ids: Sequence[int] | None, app: str | None, *, as_json: bool) -> int:
    """Have events delivered anew; return 1 if any is left.

    Raises:
        AppUnknown: There is no such app.
    """
    open_tables()
    with see_app(app):
        outcome = resend_deliveries(event_ids, utc_now())
    if as_json:
        print_json(outcome)
    else:
        count = len(outcome["resent"])
        print(f"{count} {'event' if count == 1 else 'events'} sent anew.")
    if left := outcome["left"]:
        ids = ", ".join(map(str, left))
        print(f"Left, as never tried, erased or without a webhook: {ids}", file=sys.stderr)
    return 1 if left else 0
