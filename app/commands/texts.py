"""`hoptac texts`: storing, listing and removing the texts of documents."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.commands.output import DONE, report
from app.core.database.engine import Database
from app.core.settings import Settings
from app.core.values.text import counted

SUFFIX = ".txt"


def load(options: argparse.Namespace, settings: Settings) -> int:
    """Store the texts in a folder: each *.txt whose SHA-256 a document states, or that is named ID.txt."""
    if not options.folder.is_dir():
        raise ValueError(f"{options.folder} is not a folder")
    problems: list[str] = []
    count = 0
    with _database(settings) as database:
        for path in sorted(options.folder.glob(f"*{SUFFIX}")):
            problem = _load_file(database, path, options.shown)
            problems += [f"{path.name}: {problem}"] if problem else []
            count += not problem
    print(f"{counted(count, 'text')} stored.")
    return report(problems)


def list_(_: argparse.Namespace, settings: Settings) -> int:
    """List the documents whose texts the registry holds, and who may read them."""
    from sqlalchemy import select

    from app.documents.texts.tables import TEXTS

    with _database(settings) as database, database.snapshot() as connection:
        for row in connection.execute(select(TEXTS).order_by(TEXTS.c.document_id)):
            print(f"{row.document_id}  {row.shown}  {counted(row.paragraphs, 'paragraph')}  stored at {row.stored_at}")
    return DONE


def remove(options: argparse.Namespace, settings: Settings) -> int:
    """Remove the text of a document."""
    from app.documents.texts.tables import remove_text

    with _database(settings) as database, database.write() as session:
        is_removed = remove_text(session.connection(), options.document)
    return DONE if is_removed else report([f"The registry does not hold the text of {options.document}."])


def _database(settings: Settings) -> Database:
    import app.catalogue  # noqa: F401 - declares every table
    from app.server.run import ensure_ready

    ensure_ready(settings)
    return Database(settings.database_url)


def _load_file(database: Database, path: Path, terms: str) -> str | None:
    """Store a text. Return why it was not stored, or None."""
    from app.core.errors import Conflict
    from app.documents.texts.paragraphs import MAX_BYTES, NotReadable, parse_text
    from app.documents.texts.storing import store_text

    try:
        with path.open("rb") as file:
            text = parse_text(file.read(MAX_BYTES + 1))
        with database.write() as session:
            document = _document_of(session, text.sha256, path.stem)
            if document is None:
                return "No document states its SHA-256, and none has its name as id."
            store_text(session.connection(), document, text, terms)
    except (NotReadable, OSError) as error:
        return str(error)
    except Conflict as error:
        return error.detail
    return None


def _document_of(session: Any, sha256: str, name: str) -> Mapping[str, Any] | None:
    """Return the document that states a digest or, if there is none, the one with a name as its id."""
    from sqlalchemy import select

    from app.core.values.json import from_json
    from app.core.writing.batch import Batch
    from app.documents.models import DOCUMENTS, Document

    table: Any = Document
    named = session.execute(select(table.id).where(table.sha256 == sha256).order_by(table.id)).scalars().first()
    stored = Batch(session, "").stored(DOCUMENTS, [named or name])
    return from_json(stored[named or name].body) if stored else None
