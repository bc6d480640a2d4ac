"""Facets, and the counts that lists and facets use instead of counting records each time."""
