"""Print the active projects with their partners, how far each got, and what changed since the last run.

    python example.py [ADDRESS OF A REGISTRY]

The file `position.json` remembers which changes were printed.
"""

import sys

from hoptac_client import Client, Unreachable


def text(languages: dict[str, str]) -> str:
    """Return the English text, or the first one that exists."""
    return languages.get("en") or next(iter(languages.values()), "without a name")


def main(client: Client) -> None:
    """Print projects and changes."""
    for page in client.projects(status="active", include=["partners"]).pages():
        partners = page.get("included", {}).get("partners", {})
        for project in page["items"]:
            names = {text(partners[role["partner"]]["name"]) for role in project["roles"]}
            print(f"{text(project['title'])}: {', '.join(sorted(names)) or 'no partner'}")
            for indicator in client.project_progress(project["id"])["indicators"]:
                progress = indicator["progress"]
                if progress["percentage"] is not None:
                    print(f"  {text(indicator['name'] or {})}: {progress['computed']} = {progress['percentage']:g} %")

    changes = list(client.follow("position.json", forever=False))
    print(f"{len(changes)} changes since the last run")


if __name__ == "__main__":
    try:
        with Client(*sys.argv[1:2]) as registry:
            main(registry)
    except Unreachable as error:
        sys.exit(f"{error}\nStart a registry with `make run`, or name the address of another one.")
