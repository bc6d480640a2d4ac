"""Pages that show the registry to people: `/projects/{id}`, `/figures/{id}` and the like, in English and Vietnamese.

- `routes` serves them; `reads` is the only way to data: the public API, without a key
- `page_reads` has the reads that several pages make
- `pages/` has the function of each page, which reads the API and returns a template with its values
- `view` is what templates call: texts, links, citations, numbers; `pieces` has the HTML of those that occur often
- `languages` and texts.toml have the words of the pages
- `rendering` fills the templates in templates/; `drawing/` computes the geometry of charts
- static/ has one stylesheet, one script and an icon

Every page works without the script, and loads nothing from another host.
"""
