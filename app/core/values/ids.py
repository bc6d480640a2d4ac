"""Random ids, for keys, imports, subscriptions and deliveries, which have no readable names."""

import secrets
import string

LETTERS = string.ascii_lowercase
DIGITS_AND_LETTERS = string.digits + LETTERS


def random_text(length: int, characters: str = DIGITS_AND_LETTERS) -> str:
    """Return `length` characters from a cryptographically secure generator."""
    return "".join(secrets.choice(characters) for _ in range(length))
