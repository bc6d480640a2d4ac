"""Operations on the whole registry: migration, backup, restore, verification and redaction.

Commands run them. This folder may import everything below it in the core.
"""
