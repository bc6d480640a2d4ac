"""Programs for maintainers, which the application does not need."""
