"""`/v1/figures/aggregate`: counts and sums of figures, and what must not be added up."""
