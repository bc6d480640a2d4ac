"""`/v1/figures` and `/v1/indicators`: numbers that sources state, and what they measure."""
