"""Recorded conversations that ship with the package, for the demo and the documentation."""
