"""Tests of Q/GDW 1376.2."""
