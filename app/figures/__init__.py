"""`/v1/figures`, `/v1/indicators` and `/v1/transactions`: numbers that sources state, what they measure, and money."""
