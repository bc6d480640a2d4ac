"""The curated dataset of the five source documents, its loader and its checks."""
