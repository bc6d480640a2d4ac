"""`/v1/search`: one query over all resources. Index and ranking are in `app/core/search`."""
