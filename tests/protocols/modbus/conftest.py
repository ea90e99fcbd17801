"""Hypothesis without a deadline: the first example of a run also loads the tables."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("meterweave", deadline=None)
settings.load_profile("meterweave")
