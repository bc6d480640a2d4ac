"""`/v1/documents`: texts that records cite, and legal instruments and plans that they refer to."""
