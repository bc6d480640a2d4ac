"""The `hoptac` commands, by subject. Each imports only what it needs, and returns an exit code.

The docstrings are the help texts.
"""
