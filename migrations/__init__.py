"""The database schema's history. `HEAD` is the revision that this program needs."""

HEAD = "20261201_children_in_order"
