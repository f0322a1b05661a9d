"""Packages for apps that ask over HTTP: what is written by hand, and what builds them."""

from __future__ import annotations
