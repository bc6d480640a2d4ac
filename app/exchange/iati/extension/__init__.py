"""The extension of IATI files: elements for whole records, with a schema of their own."""
