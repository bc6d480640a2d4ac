"""`hoptac check`: the database against its log, or a dataset against its rules and source texts."""

import argparse
from pathlib import Path

from app.commands.output import DONE, FAILED, print_error, report
from app.core.database.engine import Database
from app.core.progress import reported
from app.core.settings import Settings
from app.core.values.text import counted

MAX_REPORTED = 100  # problems of the log that are printed
OWN_DATASET = Path()  # stands for the dataset of the program


def check(options: argparse.Namespace, settings: Settings) -> int:
    """Check the database: each record, each Change and the chain of the log. Or check a dataset."""
    is_of_dataset = options.dataset is not None or options.documents is not None
    exit_code = _check_dataset(options) if is_of_dataset else DONE
    if options.head is not None or not is_of_dataset:
        exit_code = max(_check_log(options, settings), exit_code)
    return exit_code


def _check_log(options: argparse.Namespace, settings: Settings) -> int:
    import app.catalogue  # noqa: F401 - declares every table
    from app.core.maintenance.verify import ChainHead, Verifier
    from app.keys.powers import administrators_until, warning_of_last_administrator
    from app.server.run import ensure_ready

    try:
        expected_head = None if options.head is None else ChainHead.read(options.head)
    except ValueError as error:
        raise ValueError(f"--head: {error}") from None
    ensure_ready(settings)
    with Database(settings.database_url) as database, database.snapshot() as connection:
        verifier = Verifier(connection)
        count = 0
        with reported("Changes checked", print_error):
            for count, problem in enumerate(verifier.problems(expected_head), 1):
                if count <= MAX_REPORTED:
                    print_error(problem)
        warning = warning_of_last_administrator(administrators_until(connection))
    if warning:
        print_error(warning)
    counts = {"Change": verifier.changes, "record": verifier.records, "problem": count}
    detail = ", ".join(counted(number, noun) for noun, number in counts.items()) + " in the log."
    print(detail + (f" Keep its head elsewhere: {verifier.head}" if verifier.changes else ""))
    return FAILED if count else DONE


def _check_dataset(options: argparse.Namespace) -> int:
    from seed.consistency import check
    from seed.files import DATASET, DatasetError, read
    from seed.quotations import prove

    if options.documents is not None and not options.documents.is_dir():
        raise ValueError(f"--documents: {options.documents} is not a folder")
    folder = DATASET if options.dataset in (None, OWN_DATASET) else options.dataset
    try:
        dataset = read(folder)
    except DatasetError as error:
        return report(error.problems)
    problems = [*check(dataset), *_problems_of_synonyms()]
    print(f"{counted(len(dataset.records), 'record')} in the dataset, {counted(len(problems), 'problem')}.")
    if options.documents is not None:
        proof = prove(dataset, options.documents)
        problems += proof.problems
        print(proof.summary)
        if not options.quiet:
            print(*(f"ignored: {line}" for line in proof.ignored), sep="\n")
    return report(problems)


def _problems_of_synonyms() -> list[str]:
    import yaml

    from app.core.search.query.synonyms import FILE, problems

    try:
        return [f"{FILE.name}: {problem}" for problem in problems(yaml.safe_load(FILE.read_text("utf-8")))]
    except yaml.YAMLError as error:
        return [f"{FILE.name}: {error}"]
