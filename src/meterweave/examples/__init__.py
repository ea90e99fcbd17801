"""Recorded conversations that ship with the package, for trying the decoder and for the documentation."""
