"""Archives: the whole public registry as one ZIP file, and a registry that is built from one."""
