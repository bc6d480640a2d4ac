"""`/v1/figures` and `/v1/indicators`: numbers that someone stated, and what they measure."""
