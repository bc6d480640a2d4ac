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


def _temporary_megabytes(service: dict[str, Any]) -> int:
    """The most that temporary files may take, which are in memory."""
    (folder,) = service["tmpfs"]
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


def _check_program(service: dict[str, Any]) -> None:
    """Check settings, command and memory of a server process."""
    environment = service["environment"]
    names = {name.removeprefix("HOPTAC_").lower() for name in environment}
    assert not (unknown := names - set(Settings.model_fields)), f"no such settings: {unknown}"
    _parser().parse_args(service["command"][1:])
    largest_import = int(environment.get("HOPTAC_MAX_IMPORT", Settings.model_fields["max_import"].default))
    temporary = _temporary_megabytes(service)
    assert temporary * MEGABYTE >= MAX_SPOOLED * largest_import, "the files to import do not fit"
    assert _megabytes(service["mem_limit"]) - temporary >= WHOLE_MEMORY * 1e6 / MEGABYTE, "it does not fit"


def _check_database(program: dict[str, Any], database: dict[str, Any]) -> None:
    """Check that the program and its database fit together."""
    assert database["image"].startswith("postgres:18"), database["image"]
    assert program["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"]
    password = database["environment"]["POSTGRES_PASSWORD"]
    # ${NAME:-default} or ${NAME}
    variable = password.partition(":")[0].removesuffix("}") + (":-" if ":-" in password else "}")
    assert variable in program["environment"]["HOPTAC_DATABASE_URL"], "the two services have different passwords"


file = Path(sys.argv[1])
composed = yaml.safe_load(file.read_text("utf-8"))
services = {name: _extended(service) for name, service in composed["services"].items()}
programs = [service for service in services.values() if service.get("command", [])[:2] == ["hoptac", "serve"]]
assert programs, "no server process"
for program in programs:
    _check_program(program)
if "database" in services:
    _check_database(services["hoptac"], services["database"])
mounts = {mount.partition(":")[0] for service in services.values() for mount in service.get("volumes", [])}
files = {mount for mount in mounts if mount.startswith(".")}
assert mounts - files == set(composed["volumes"]), "volumes used and declared differ"
assert all((file.parent / mount).is_file() for mount in files), "a file that is mounted is missing"
for name, service in services.items():
    assert set(service.get("depends_on", ())) <= set(services), f"{name} depends on what is not there"
    assert service["mem_limit"] == service["memswap_limit"], f"{name} may swap"
    assert service["pids_limit"] <= 500, name
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}, f"the log of {name} grows for ever"
print(f"   {file}: limits, settings, command and services agree")
