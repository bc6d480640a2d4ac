"""How far one registry goes: measured, computed from that for larger ones, and simulated where it cannot be run."""
