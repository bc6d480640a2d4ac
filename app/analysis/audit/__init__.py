"""`/v1/audit`: what a careful reader would question. Each rule is a function in `rules/`."""
