"""How times are shown: as those of the processes' logs, so that they can be laid side by side."""

from __future__ import annotations

from datetime import datetime


def shown(at: float) -> str:
    """Write a time of this machine, to the millisecond."""
    return datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006
