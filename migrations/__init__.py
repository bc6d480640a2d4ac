"""The database schema's history. `HEAD` is the revision that this program needs."""

HEAD = "20261202_drafts"
