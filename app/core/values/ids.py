"""Random ids, for what has no readable name: keys, imports, subscriptions and deliveries."""

import secrets
import string

LETTERS = string.ascii_lowercase
DIGITS_AND_LETTERS = string.digits + LETTERS


def random_text(length: int, characters: str = DIGITS_AND_LETTERS) -> str:
    """Return `length` characters from a cryptographically secure generator."""
    return "".join(secrets.choice(characters) for _ in range(length))
