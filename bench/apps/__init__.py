"""The servers that Hoptac is measured beside."""
