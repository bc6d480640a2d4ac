"""Synchronize a folder of projects with a Hoptac registry in both directions, with httpx alone.

    python examples/keep_in_step.py FOLDER --partner unido --key hoptac_… [--registry http://127.0.0.1:8000]

FOLDER stands for the partner's own system. It has one JSON file for each project of the partner, named by the id of
the project. Each run first applies the changes that others made, which it reads from the change feed, starting where
the last run stopped. Then it sends the changes that were made in the folder.

A run that would delete more than one project in ten in the registry stops before it sends anything: an emptied folder
is more often a mistake than intended. `--delete 1` allows every deletion. `--dry-run` changes nothing on either side.

Changes are merged field by field. If both sides changed the same field, the value of the registry wins, and the other
one is printed. `FOLDER/.in-step.json` has the state on which both sides last agreed. Without it, a run compares
everything.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

READ_ONLY = ("resource", "id", "version", "created_at", "updated_at", "inferred")  # set by the registry
PAUSES = (1, 2, 5, 10)  # seconds between attempts while the registry cannot be reached

Fields = dict[str, Any]


class Registry:
    """A client of the registry."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "keep-in-step/1"}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=30)

    def send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Send a request; send it again while the registry cannot be reached or its rate limit is exceeded.

        That is safe for every request of this program: a PUT or DELETE that is repeated has no further effect.
        """
        for pause in PAUSES:
            seconds = float(pause)
            try:
                response = self.client.request(method, path, **kwargs)
                if response.status_code not in (429, 502, 503, 504):
                    return response
                reason = f"responded with {response.status_code}"
                seconds = float(response.headers.get("retry-after", pause))
            except httpx.UnsupportedProtocol:
                raise
            except httpx.TransportError as error:
                reason = f"cannot be reached ({error})"
            print(f"The registry {reason}. Next attempt in {seconds:g} s.", file=sys.stderr)
            time.sleep(seconds)
        return self.client.request(method, path, **kwargs)

    def changes(self, path: str) -> tuple[list[dict[str, Any]], str]:
        """Return every Change from this page of the feed to the end, and the path from which to continue later."""
        changes: list[dict[str, Any]] = []
        while True:
            url = self.client.base_url.join(path)  # `next` starts at the root of the host
            response = self.send("GET", str(url))
            if response.status_code == 409:
                sys.exit("The registry was restored to an earlier state. Remove .in-step.json to compare everything.")
            if response.status_code != 200:
                sys.exit(f"The change feed cannot be read. {_explained(response)}")
            page = response.json()
            changes += page["items"]
            path = page["next"]
            if int(httpx.URL(path).params["after"]) >= page["last"]:
                return changes, path


class Folder:
    """Our projects, and the state on which we last agreed with the registry."""

    def __init__(self, path: Path, dry_run: bool = False) -> None:
        self.path = path
        self.dry_run = dry_run
        self.state_file = path / ".in-step.json"
        state = _read(self.state_file) if self.state_file.exists() else {}
        self.next: str | None = state.get("next")  # path of the change feed from which to continue
        self.agreed: dict[str, Fields] = state.get("agreed", {})
        self.not_written: dict[str, Fields | None] = {}  # what a dry run would have written

    def projects(self) -> dict[str, Fields]:
        """Return our projects by id."""
        files = {path.stem: _read(path) for path in sorted(self.path.glob("[!.]*.json"))}
        after = {**files, **self.not_written}
        return {project: fields for project, fields in after.items() if fields is not None}

    def write(self, project: str, fields: Fields | None) -> None:
        """Write the file of a project, or remove it if there are no fields."""
        path = self.path / f"{project}.json"
        if self.dry_run:
            print(f"{project}: the file would be {'removed' if fields is None else 'written'}")
            self.not_written[project] = fields
        elif fields is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(json.dumps(fields, ensure_ascii=False, indent=2) + "\n")

    def write_state(self) -> None:
        """Replace the file of the state as a whole, so that a run that was killed can simply be repeated."""
        if self.dry_run:
            return
        new_file = self.state_file.with_suffix(".new")
        new_file.write_text(json.dumps({"next": self.next, "agreed": self.agreed}, ensure_ascii=False))
        new_file.replace(self.state_file)


def _read(path: Path) -> Fields:
    """Return the JSON object in a file. Without it nothing can be compared, so the program ends if there is none."""
    try:
        value = json.loads(path.read_text())
    except ValueError as error:
        sys.exit(f"{path} is not valid JSON: {error}")
    if not isinstance(value, dict):
        sys.exit(f"{path} is not a JSON object.")
    return value


def writable(record: Fields) -> Fields:
    """Return the fields of a record that can be sent back."""
    return {name: value for name, value in record.items() if name not in READ_ONLY}


def merged(project: str, mine: Fields, theirs: Fields, agreed: Fields) -> Fields:
    """Return the fields with the changes of both sides. Where both changed a field, theirs wins."""
    result = dict(theirs)
    for name in {*mine, *agreed}:
        if mine.get(name) == agreed.get(name) or mine.get(name) == theirs.get(name):
            continue
        if theirs.get(name) == agreed.get(name):
            result[name] = mine.get(name)
        else:
            print(f"{project}: {name} was changed on both sides; ours was {json.dumps(mine.get(name))}")
    return result


def receive(folder: Folder, registry: Registry, partner: str) -> None:
    """Apply the changes that others made to the projects that the partner manages."""
    everything = f"v1/changes?resource=projects&partner={partner}&limit=200&after=0"
    changes, next_path = registry.changes(folder.next or everything)
    latest = {change["id"]: change for change in changes}  # each has the complete record, so the last is enough
    present = folder.projects()
    for project, change in latest.items():
        is_new = project not in present and project not in folder.agreed
        if is_new and (change["action"] == "delete" or change["record"]["managed_by"] != partner):
            continue
        agreed = folder.agreed.pop(project, {})
        mine = present.get(project)
        if change["action"] == "delete":
            if mine in (None, agreed):
                folder.write(project, None)
            else:
                print(f"{project}: was deleted in the registry, but changed here, so the file stays")
            continue
        theirs = writable(change["record"])
        if mine is not None or is_new:
            folder.write(project, merged(project, mine or {}, theirs, agreed))
        folder.agreed[project] = theirs
    folder.next = next_path
    folder.write_state()


def send(folder: Folder, registry: Registry, most_deleted: float) -> bool:
    """Send our changes to the registry, and return whether it accepted all of them.

    `most_deleted` is the share of the projects that may be deleted, from 0 to 1. A single project may always be deleted.
    """
    present = folder.projects()
    deleted = set(folder.agreed) - set(present)
    if len(deleted) > max(1, most_deleted * len(folder.agreed)):
        print(f"{len(deleted)} of {len(folder.agreed)} projects would be deleted in the registry, so nothing is sent.")
        print("If that is what you want, add --delete 1.")
        return False
    all_accepted = True
    for project in sorted({*present, *folder.agreed}):
        mine = present.get(project)
        agreed = folder.agreed.get(project)
        if mine == agreed:
            continue
        if folder.dry_run:
            print(f"{project}: would be {'deleted' if mine is None else 'sent'}")
            continue
        response = _send(registry, project, mine, agreed)
        if response.status_code in (200, 201):
            folder.agreed[project] = writable(response.json())
            folder.write(project, folder.agreed[project])
        elif response.status_code in (204, 404, 410) and mine is None:
            folder.agreed.pop(project)
        elif response.status_code == 412:
            print(f"{project}: somebody else has just changed it; the next run applies that first")
        else:
            all_accepted = False
            _print_problem(project, response)
        folder.write_state()
    return all_accepted


def _send(registry: Registry, project: str, mine: Fields | None, agreed: Fields | None) -> httpx.Response:
    path = f"/v1/projects/{project}"
    if agreed is None:
        return registry.send("PUT", path, json=mine, headers={"If-None-Match": "*"})
    current = registry.send("GET", path)
    if current.status_code != 200:
        return current
    if writable(current.json()) != agreed:
        return httpx.Response(412)
    condition = {"If-Match": current.headers["etag"]}
    if mine is None:
        return registry.send("DELETE", path, headers=condition)
    return registry.send("PUT", path, json=mine, headers=condition)


def _print_problem(project: str, response: httpx.Response) -> None:
    print(f"{project}: {_explained(response)}")


def _explained(response: httpx.Response) -> str:
    """Return the message of an error response. A proxy in front of the registry may have sent something else."""
    if not response.headers.get("content-type", "").startswith("application/problem+json"):
        return f"{response.url} responded with {response.status_code}. Is it the URL of a registry?"
    problem = response.json()
    errors = [f"\n  {error.get('pointer', '')}: {error['detail']}" for error in problem["errors"]]
    return f"{response.status_code} {problem['title']}. {problem['detail']}{''.join(errors)}"


def main() -> int:
    """Synchronize both sides once; return 1 if the registry rejected a change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--registry", default="http://127.0.0.1:8000")
    parser.add_argument("--partner", required=True, help="id of the partner that manages the projects")
    parser.add_argument("--key", required=True, help="key of the partner, with the scope records:write:own")
    parser.add_argument("--delete", type=float, default=0.1, help="share of the projects that may be deleted, 0 to 1")
    parser.add_argument("--dry-run", action="store_true", help="change nothing; print what a run would do")
    options = parser.parse_args()
    if not options.dry_run:
        options.folder.mkdir(parents=True, exist_ok=True)
    folder = Folder(options.folder, options.dry_run)
    try:
        registry = Registry(options.registry, options.key)
        with registry.client:
            receive(folder, registry, options.partner)
            return 0 if send(folder, registry, options.delete) else 1
    except (httpx.TransportError, httpx.InvalidURL) as error:
        sys.exit(f"The registry at {options.registry} cannot be reached: {error}")


if __name__ == "__main__":
    sys.exit(main())
