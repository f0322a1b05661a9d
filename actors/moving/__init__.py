"""Moving in and out: grants of other systems are imported, and an app's own exported."""

from __future__ import annotations
