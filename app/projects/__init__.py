"""`/v1/projects`: programmes, projects and other initiatives."""
