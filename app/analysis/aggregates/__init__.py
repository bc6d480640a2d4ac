"""`/v1/figures/aggregate`: counts, extremes and sums of groups of figures."""
