"""The Reconciliation API 0.2, with which OpenRefine finds the partners and places that the names in a table mean.

It compares names as imports do, and knows the search and the records. It may not know analyses, keys or webhooks.
"""
