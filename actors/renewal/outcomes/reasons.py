"""Reasons of failed renewals, as the connection and its event state them."""

from __future__ import annotations

from catfeeder.errors import CatFeederError


def format_reason(error: CatFeederError) -> str:
    """Return the sentence to store, with the kind of a provider's failure in front."""
    kind = getattr(error, "kind", None)
    return f"{kind}: {error.detail}" if kind else error.detail


def build_event_detail(error: CatFeederError) -> dict[str, str]:
    """Return an event's detail: the error's code, its kind, and what the provider answered."""
    kind, answer = getattr(error, "kind", None), getattr(error, "answer", None)
    detail = {"reason": error.code}
    detail |= {"failure": str(kind)} if kind else {}
    return detail | ({"answer": answer} if answer else {})
