"""Archives: the whole public registry as one ZIP file."""
