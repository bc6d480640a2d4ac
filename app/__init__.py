"""Hoptac: an open registry of international cooperation, with evidence for every figure."""

__version__ = "0.1.0"
