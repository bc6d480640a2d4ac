"""What can be said of a compose file without Docker: `compose.py FILE`."""
# ruff: noqa: T201 - it says what it found

import sys
from pathlib import Path
from typing import Any

import yaml

from app.cli import _parser
from app.core.settings import Settings
from app.exchange.imports.receiving import MAX_SPOOLED
from tests.torture.attacks.together import WHOLE_MEMORY

MEGABYTE = 1 << 20  # as Docker counts


def _megabytes(size: str) -> int:
    return int(size[:-1]) * {"m": 1, "g": 1024}[size[-1]]


def _temporary_megabytes() -> int:
    """The most that temporary files may take, which are in memory."""
    (folder,) = program["tmpfs"]
    return _megabytes(folder.partition("size=")[2].partition(",")[0])


def _extended(service: dict[str, Any]) -> dict[str, Any]:
    """A service with what it takes over from another file, as Docker merges them."""
    if "extends" not in service:
        return service
    base = yaml.safe_load(Path(service["extends"]["file"]).read_text("utf-8"))["services"][
        service["extends"]["service"]
    ]
    environment = {**base.get("environment", {}), **service.get("environment", {})}
    return {**base, **service, "environment": environment}


composed = yaml.safe_load(Path(sys.argv[1]).read_text("utf-8"))
composed["services"] = {name: _extended(service) for name, service in composed["services"].items()}
program, database = composed["services"]["hoptac"], composed["services"]["database"]
unknown = {name for name in program["environment"] if name.removeprefix("HOPTAC_").lower() not in Settings.model_fields}
assert not unknown, f"no such settings: {unknown}"
_parser().parse_args(program["command"][1:])
assert database["image"].startswith("postgres:18"), database["image"]
assert program["depends_on"]["database"]["condition"] == "service_healthy"
assert database["healthcheck"]["test"]
mounts = [each.partition(":")[0] for service in composed["services"].values() for each in service.get("volumes", [])]
assert set(mounts) == set(composed["volumes"]), "volumes used and declared differ"
password = database["environment"]["POSTGRES_PASSWORD"]
variable = password.partition(":")[0].removesuffix("}") + (
    ":-" if ":-" in password else "}"
)  # ${NAME:-default} or ${NAME}
assert variable in program["environment"]["HOPTAC_DATABASE_URL"], "the two services have different passwords"
for name, service in composed["services"].items():
    assert service["mem_limit"] == service["memswap_limit"], f"{name} may swap"
    assert service["pids_limit"] <= 500, name
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}, f"the log of {name} grows for ever"
largest_import = int(program["environment"].get("HOPTAC_MAX_IMPORT", Settings.model_fields["max_import"].default))
assert _temporary_megabytes() * MEGABYTE >= MAX_SPOOLED * largest_import, "the files to import do not fit"
assert _megabytes(program["mem_limit"]) - _temporary_megabytes() >= WHOLE_MEMORY * 1e6 / MEGABYTE, "it does not fit"
print(f"   {sys.argv[1]}: limits, settings, command and services agree")
