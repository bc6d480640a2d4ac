"""`/v1/import-mappings`: the meaning of the columns of a client's table, stored under a name for later imports.

A mapping belongs to the partner of the key that stored it, or to the key if it has no partner. The mapping itself is
defined in `app/exchange/formats/mapping.py`.
"""
