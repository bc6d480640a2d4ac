"""The OpenAPI document: written by `make contract`, and stored in the package.

- `document` writes it from the declared operations
- `schemas`: those of what operations return or accept; `records`: those of resources; `named`: those of code lists,
  language maps and ids
- `components`: parameters and responses that operations share; `examples`: examples
"""
