"""`/v1/keys`: administrators create, read, rotate and revoke keys. Checking a key is the task of `app/core/access`."""
