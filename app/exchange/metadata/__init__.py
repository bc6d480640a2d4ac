"""Descriptions of the data for programs: a DCAT-AP catalogue, and the JSON Schema of each resource."""
