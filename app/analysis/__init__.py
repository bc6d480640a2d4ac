"""Reads that are computed from several resources. Each folder is one of them.

They may know every resource and the core, and never each other.
"""
