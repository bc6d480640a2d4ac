"""`/v1/keys`: administrators create, rotate and revoke keys. What a key allows is in `app/core/access`."""
