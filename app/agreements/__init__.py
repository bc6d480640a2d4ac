"""`/v1/agreements`: agreements that partners signed, intend to sign or claim to have."""
