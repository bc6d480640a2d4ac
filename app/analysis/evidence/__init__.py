"""The evidence of a record: its quotations in the texts, its arithmetic, what contradicts it, and its versions."""
