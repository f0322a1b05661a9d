"""Routes of changes to all connections that match: counted, confirmed, and done slice by slice."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from actors.connections.many import Slice, read_rows, read_slice
from actors.connections.search import count_connections
from worker.http.asgi.threads import run_with_database
from worker.http.console.access import ConsoleRoute
from worker.http.console.connections.listing import ConnectionFilters
from worker.http.console.connections.slices import Action, Outcome, change_slice, choose_limit
from worker.http.console.filters import OptionalText
from worker.http.console.rendering import read_visit, render_console
from worker.http.shim import ShimDependency

router = APIRouter(
    prefix="/console/connections/all", route_class=ConsoleRoute, include_in_schema=False
)
_COUNTS: Final = ("done", "begun", "failed", "passed")
_Number = Annotated[int, Field(ge=0)]


class ManyFilters(ConnectionFilters):
    """What is to be done, to which connections."""

    action: Action

    def describe(self) -> list[str]:
        """Return the filters as people read them."""
        found = self.model_dump(include={"q", "app", "provider", "status"})
        named = {"q": "subject or e-mail address", "status": "state"}
        return [f"{named.get(it, it)} {value}" for it, value in found.items() if value is not None]


class _Progress(ManyFilters):
    """What a form says: the count that its operator was shown and has typed, and what is done."""

    count: _Number
    is_exact: bool = True
    confirmed: OptionalText = None
    done: _Number = 0
    begun: _Number = 0
    failed: _Number = 0
    passed: _Number = 0
    #: The connections of which the request before could ask nothing, with commas between them.
    halted: OptionalText = None

    @property
    def is_confirmed(self) -> bool:
        """Whether this goes on, or begins with the count that was shown."""
        return self.cursor is not None or self.confirmed == str(self.count)


@router.get("")
async def ask_for_many(request: Request, filters: Annotated[ManyFilters, Query()]) -> Response:
    """Show how many connections match, and ask whether to change them."""
    return await _ask(request, filters)


@router.post("")
async def change_many(request: Request, shim: ShimDependency) -> Response:
    """Change some of the connections, and lead on to the others."""
    form = _read_form(request)
    if not form.is_confirmed:
        return await _ask(request, form, "Type the number that is shown, to confirm it.")
    some: Slice = await run_with_database(_read_slice, form)
    outcome = await change_slice(shim, form.action, some.rows)
    return _render_progress(request, form, some, outcome)


def _read_form(request: Request) -> _Progress:
    fields = {**read_visit(request).form, "app": request.query_params.get("app", "")}
    try:
        return _Progress.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


async def _ask(request: Request, filters: ManyFilters, fault: str | None = None) -> Response:
    search = _to_search(filters)
    del search["cursor"]
    count = await run_with_database(count_connections, **search)
    return render_console(
        request,
        "connections/many.html",
        status=200 if fault is None else 422,
        filters=filters,
        fields=_to_fields(filters),
        count=count,
        fault=fault,
    )


def _read_slice(form: _Progress) -> Slice:
    """Return what was halted before, else the next connections that match."""
    if form.halted is not None:
        return Slice(read_rows(form.halted.split(",")), form.cursor)
    limit = choose_limit(form.action, form.status)
    return read_slice(**_to_search(form), limit=limit)


def _render_progress(request: Request, form: _Progress, some: Slice, outcome: Outcome) -> Response:
    counts = {name: getattr(form, name) + outcome.counts[name] for name in _COUNTS}
    cursor, halted = some.next_cursor, ",".join(outcome.halted)
    fields = {**_to_fields(form), **counts, "count": form.count, "is_exact": form.is_exact}
    return render_console(
        request,
        "connections/many_progress.html",
        filters=form,
        counts=counts,
        outcome=outcome,
        has_more=bool(cursor or halted),
        fields={**fields, "cursor": cursor or "", "halted": halted, "confirmed": form.count},
    )


def _to_search(filters: ManyFilters) -> dict[str, Any]:
    search = filters.model_dump(include={"provider", "status", "cursor"})
    return {**search, "text": filters.q}


def _to_fields(filters: ManyFilters) -> dict[str, str]:
    """Return the hidden fields that a form goes on with; the app is in its address."""
    names = {"q", "provider", "status", "action"}
    found = filters.model_dump(include=names, exclude_none=True)
    return {name: str(value) for name, value in found.items()}
