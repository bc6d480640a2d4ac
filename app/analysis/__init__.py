"""Reads that are computed from records of several resources, one in each folder.

They may import the core and every resource, and never each other.
"""
