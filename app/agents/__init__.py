"""Tools for agents over the Model Context Protocol (MCP): at `/mcp`, and as `hoptac mcp` on standard input and output.

- `endpoint` serves `/mcp`; it loads the protocol with the first request, since this takes half a second and 30 MB
- `protocol` connects the tools to the official SDK, which must be installed (extra `mcp`)
- `stdio` is `hoptac mcp`, for clients that start a program
- `definitions` has the names, descriptions and schemas of the tools; `calls` checks the arguments of a call
- `tools/` has what each tool does
- `registry` reads the public API in the process, without a key, as pages do; `items` makes records short
- `drafts` writes drafts with the key of the caller
- `pages` fills an answer up to its bound; `quoting` marks texts of records as data
- `llms_txt` is `/llms.txt`, the list of what agents can read
"""
