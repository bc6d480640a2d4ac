"""`/v1/progress` and `/v1/projects/{id}/progress`: targets compared with results."""
