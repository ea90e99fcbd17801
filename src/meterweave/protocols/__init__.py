"""Bytes to messages and back: one folder a protocol, all of the same shape."""
