"""A peer: Datasette over the plain tables, with the queries that its users would save for it.

`detail` joins a project and its children into nested JSON in SQL, which is the only way to get them in one request.
"""

import os
from pathlib import Path

from datasette.app import Datasette

DETAIL = """
SELECT project.*,
  (SELECT json_group_array(json_object('role', role.role, 'id', partner.id, 'name_vi', name_vi, 'name_en', name_en,
     'kind', kind, 'abbreviation', abbreviation, 'parent_id', parent_id))
   FROM role JOIN partner ON partner.id = role.partner_id WHERE role.project_id = project.id) AS partners,
  (SELECT json_group_array(json_object('id', agreement.id, 'title_vi', title_vi, 'title_en', title_en, 'kind', kind,
     'status', status, 'signed_on', signed_on)) FROM agreement WHERE agreement.project_id = project.id) AS agreements,
  (SELECT json_group_array(json_object('id', milestone.id, 'title_vi', title_vi, 'title_en', title_en, 'kind', kind,
     'status', status, 'date', date, 'place_id', place_id))
   FROM milestone WHERE milestone.project_id = project.id) AS milestones,
  (SELECT json_group_array(json_object('id', figure.id, 'indicator', indicator, 'kind', kind, 'value', value,
     'unit', unit, 'period', period, 'place_id', place_id))
   FROM figure WHERE figure.project_id = project.id) AS figures,
  (SELECT json_group_array(json_object('document_id', document_id, 'paragraph', paragraph, 'as_written', as_written))
   FROM citation WHERE citation.project_id = project.id) AS citations
FROM project WHERE project.id = :id
"""
TOTALS = """
SELECT indicator, sum(value), count(*), min(value), max(value) FROM figure
WHERE kind = :kind AND place_id = :place GROUP BY indicator
"""
# As its own search page ranks them, and with the words found marked, as ours.
SEARCH = """
SELECT project.id, project.title_vi, project.title_en, kind, status,
  snippet(project_fts, -1, '<b>', '</b>', '…', 20) AS snippet, bm25(project_fts) AS rank
FROM project_fts JOIN project ON project.rowid = project_fts.rowid
WHERE project_fts MATCH escape_fts(:q) ORDER BY rank LIMIT 20
"""

_path = Path(os.environ["DATASETTE_FILE"])
_queries = {"detail": {"sql": DETAIL}, "totals": {"sql": TOTALS}, "search": {"sql": SEARCH}}
app = Datasette(
    immutables=[str(_path)],
    metadata={"databases": {_path.stem: {"queries": _queries}}},
    settings={"sql_time_limit_ms": 60_000, "default_facet_size": 100},
).app()
