"""Records from and to other systems: file formats, imports, mirrors.

It may know the core and the change feed, but no single resource.
"""
