"""`/v1/timeline`: dated events of all resources in one order."""
