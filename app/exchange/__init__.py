"""Exchange with other systems: file formats, imports, and mirrors of other registries.

It may import the core and the change feed, and no resource by itself.
"""
