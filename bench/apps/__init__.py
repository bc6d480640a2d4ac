"""The servers that Hoptac is compared with."""
