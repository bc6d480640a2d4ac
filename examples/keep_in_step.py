"""Keeps a folder of projects in step with a Hoptac registry, both ways, with nothing but httpx.

    python examples/keep_in_step.py FOLDER --partner unido --key hoptac_… [--registry http://127.0.0.1:8000]

FOLDER is what the partner's own system keeps: one JSON file for each of its projects, named by its id. Each run first takes
in what others changed (the feed, from where the last run stopped), then sends what was changed in the folder. What only one
side changed is taken over, field by field; where both changed the same field, the registry's value stays and the other is
printed. `FOLDER/.in-step.json` holds what both sides last agreed on; without it everything is compared anew.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import httpx

OURS_ALONE = ("resource", "version", "created_at", "updated_at", "inferred")  # what only the registry says
WAITS = (1, 2, 5, 10)  # seconds between attempts while the registry is away

Fields = dict[str, Any]


class Registry:
    """The registry over HTTP."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "User-Agent": "keep-in-step/1"}
        self.client = httpx.Client(base_url=url, headers=headers, timeout=30)

    def ask(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """The answer; asked again while the registry is away or says that it was asked too often.

        That is safe for every request here: a PUT or DELETE done twice has the effect of one.
        """
        for wait in WAITS:
            try:
                answer = self.client.request(method, path, **kwargs)
                if answer.status_code not in (429, 502, 503, 504):
                    return answer
                time.sleep(float(answer.headers.get("retry-after", wait)))
            except httpx.TransportError:
                time.sleep(wait)
        return self.client.request(method, path, **kwargs)

    def changes(self, path: str) -> tuple[list[dict[str, Any]], str]:
        """Every change from this page of the feed on, and the path to go on from."""
        found: list[dict[str, Any]] = []
        while True:
            answer = self.ask("GET", path)
            if answer.status_code == 409:
                sys.exit("The registry was restored to an earlier state: remove .in-step.json to compare all anew.")
            page = answer.raise_for_status().json()
            found += page["items"]
            path = page["next"]
            if int(httpx.URL(path).params["after"]) >= page["last"]:
                return found, path


class Folder:
    """What we keep: our projects, and what we last agreed on with the registry."""

    def __init__(self, path: Path) -> None:
        self.path, self.memory = path, path / ".in-step.json"
        kept = json.loads(self.memory.read_text()) if self.memory.exists() else {}
        self.next: str | None = kept.get("next")
        self.agreed: dict[str, Fields] = kept.get("agreed", {})

    def projects(self) -> dict[str, Fields]:
        """Ours, by id."""
        return {path.stem: json.loads(path.read_text()) for path in sorted(self.path.glob("[!.]*.json"))}

    def keep(self, project: str, fields: Fields | None) -> None:
        """Write ours, or remove it."""
        path = self.path / f"{project}.json"
        if fields is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(json.dumps(fields, ensure_ascii=False, indent=2) + "\n")

    def remember(self) -> None:
        """Write down what we agree on: whole or not at all, so that a run that is killed is only repeated."""
        draft = self.memory.with_suffix(".new")
        draft.write_text(json.dumps({"next": self.next, "agreed": self.agreed}, ensure_ascii=False))
        draft.replace(self.memory)


def ours(record: Fields) -> Fields:
    """What a writer says of a record: that can be sent back as it is."""
    return {name: value for name, value in record.items() if name not in (*OURS_ALONE, "id")}


def merged(project: str, mine: Fields, theirs: Fields, agreed: Fields) -> Fields:
    """Field by field: whoever changed it; theirs where both did."""
    result = dict(theirs)
    for name in {*mine, *agreed}:
        if mine.get(name) == agreed.get(name) or mine.get(name) == theirs.get(name):
            continue
        if theirs.get(name) == agreed.get(name):
            result[name] = mine.get(name)
        else:
            print(f"{project}: {name} was changed on both sides; ours was {json.dumps(mine.get(name))}")
    return result


def take_in(folder: Folder, registry: Registry, partner: str) -> None:
    """Bring the folder up to what others did to the projects that the partner keeps."""
    everything = f"/v1/changes?resource=projects&partner={partner}&limit=200&after=0"
    changes, following = registry.changes(folder.next or everything)
    latest = {change["id"]: change for change in changes}  # each holds the whole record: the last one is enough
    present = folder.projects()
    for project, change in latest.items():
        is_new = project not in present and project not in folder.agreed
        if is_new and (change["action"] == "delete" or change["record"]["managed_by"] != partner):
            continue
        agreed = folder.agreed.pop(project, {})
        mine = present.get(project)
        if change["action"] == "delete":
            if mine in (None, agreed):
                folder.keep(project, None)
            else:
                print(f"{project}: was deleted in the registry, but changed here: the file stays")
            continue
        theirs = ours(change["record"])
        if mine is not None or is_new:
            folder.keep(project, merged(project, mine or {}, theirs, agreed))
        folder.agreed[project] = theirs
    folder.next = following
    folder.remember()


def send(folder: Folder, registry: Registry) -> bool:
    """Tell the registry what was changed here; False when it refused something."""
    present, well = folder.projects(), True
    for project in sorted({*present, *folder.agreed}):
        mine, agreed = present.get(project), folder.agreed.get(project)
        if mine == agreed:
            continue
        answer = _send(registry, project, mine, agreed)
        if answer.status_code in (200, 201):
            folder.agreed[project] = ours(answer.json())
            folder.keep(project, folder.agreed[project])
        elif answer.status_code in (204, 404, 410) and mine is None:
            folder.agreed.pop(project)
        elif answer.status_code == 412:
            print(f"{project}: changed by somebody else just now; the next run takes that in first")
        else:
            well = False
            _explain(project, answer)
        folder.remember()
    return well


def _send(registry: Registry, project: str, mine: Fields | None, agreed: Fields | None) -> httpx.Response:
    path = f"/v1/projects/{project}"
    if agreed is None:
        return registry.ask("PUT", path, json=mine, headers={"If-None-Match": "*"})
    now = registry.ask("GET", path)
    if now.status_code != 200:
        return now
    if ours(now.json()) != agreed:
        return httpx.Response(412)
    condition = {"If-Match": now.headers["etag"]}
    if mine is None:
        return registry.ask("DELETE", path, headers=condition)
    return registry.ask("PUT", path, json=mine, headers=condition)


def _explain(project: str, answer: httpx.Response) -> None:
    problem = answer.json()
    print(f"{project}: {answer.status_code} {problem['title']}. {problem.get('detail', '')}")
    for error in problem.get("errors", []):
        print(f"  {error.get('pointer', '')}: {error['detail']}")


def main() -> int:
    """Bring both sides in step once; 1 when the registry refused something."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--registry", default="http://127.0.0.1:8000")
    parser.add_argument("--partner", required=True, help="the id of the partner whose projects these are")
    parser.add_argument("--key", required=True, help="with the scope records:write:own")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    folder, registry = Folder(options.folder), Registry(options.registry, options.key)
    take_in(folder, registry, options.partner)
    return 0 if send(folder, registry) else 1


if __name__ == "__main__":
    sys.exit(main())
