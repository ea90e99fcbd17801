"""Benchmarks: each prints a small table and writes JSON beside it; run as ``python -m benchmarks.NAME``."""
