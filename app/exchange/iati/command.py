"""`hoptac export iati`: the files of IATI, the schema of the extension and the loss report in a new folder."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from app.core.database.engine import Database
from app.core.database.statements import Read
from app.core.progress import advance
from app.exchange.iati.extension.schema import FILE
from app.exchange.iati.files import ActivitiesFile, Parts, Source, organisations_file
from app.exchange.iati.report import as_json_lines, loss_report
from app.exchange.iati.reporter import Reporter

FILES: dict[str, Callable[[Source], Parts]] = {
    "activities.xml": lambda source: ActivitiesFile(source, {}).parts(),
    "organisations.xml": lambda source: organisations_file(source, {}),
    "loss-report.jsonl": lambda source: as_json_lines(loss_report(source, {})),
}


def export_iati(database: Database, folder: Path, reporter: Reporter) -> None:
    """Write the files to a new folder. FileExistsError: it exists."""
    folder.mkdir()
    (folder / "extension.xsd").write_bytes(FILE.read_bytes())
    asyncio.run(_write(database, folder, reporter))


async def _write(database: Database, folder: Path, reporter: Reporter) -> None:
    reader = database.reader()
    try:
        for name, make in FILES.items():
            run: Callable[[Callable[[], Read]], object] = partial(reader.run, long=True)
            with (folder / name).open("x", encoding="utf-8", newline="") as file:
                async for part in make(Source(run, reporter)):  # type: ignore[arg-type]
                    file.write(part)
                    advance(1)
    finally:
        await reader.close()
