"""The declaration of a resource: fields, table, filters and links, and the validation of JSON.

Every resource is declared with these classes. They know neither requests nor search.
"""
