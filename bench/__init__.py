"""Measures Hoptac beside its limits and its peers, in one run, on data it makes itself."""
