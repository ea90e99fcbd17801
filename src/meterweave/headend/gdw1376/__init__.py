"""Terminals that speak Q/GDW 1376.1: `Gdw1376Driver`, and the conversations by which it carries out operations."""

from __future__ import annotations

from meterweave.headend.gdw1376.driver import Gdw1376Driver

__all__ = ["Gdw1376Driver"]
