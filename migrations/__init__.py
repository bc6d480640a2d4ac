"""The database schema's history. `HEAD` is the revision that this program needs."""

HEAD = "20261126_children_in_order"
