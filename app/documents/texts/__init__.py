"""The texts of documents: stored paragraphs, who may read them, and where records quote them."""
