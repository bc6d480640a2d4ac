"""Evidence as JSON-LD in two vocabularies of the W3C: citations as Web Annotations, and provenance as PROV-O."""
