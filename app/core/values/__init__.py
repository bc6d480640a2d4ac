"""The values of fields: text, EDTF dates, code lists, citations, typed links, numbers, JSON.

Pure functions and pydantic types, which know neither databases nor HTTP nor resources.
"""
