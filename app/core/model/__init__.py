"""What a resource is: its fields, tables, filters and links, and how JSON is validated against it.

A resource is a declaration made of these classes. It knows nothing of requests or of search.
"""
