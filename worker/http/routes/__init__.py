"""The routes of the contract, one module a resource."""

from __future__ import annotations
