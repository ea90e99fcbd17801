"""Meterweave: an open command centre for smart-meter networks."""

__version__ = "0.1.0"
