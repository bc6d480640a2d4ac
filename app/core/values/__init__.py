"""Values that records are made of: text, EDTF dates, code lists, citations, typed links, JSON.

Pure functions and pydantic types. It knows nothing of databases, HTTP or resources.
"""
