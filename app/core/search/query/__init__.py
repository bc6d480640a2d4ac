"""The interpretation of a query: its concepts, the table of synonyms, corrections, and looser interpretations."""
