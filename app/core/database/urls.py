"""The URLs of databases. libpq itself reads those of PostgreSQL, so that each form that it accepts works."""

import re
from typing import Any, NamedTuple

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_POSTGRESQL = re.compile(r"postgres(ql)?(\+\w+)?://")

MAX_REPLICAS = 16
_OF_SERVER = ("host", "hostaddr", "port")  # parameters of libpq that can be lists, with one value for each server
# The parts of a URL, and the parameters of libpq that they stand for. Everything else is in the query.
_PARTS = {"username": "user", "password": "password", "host": "host", "port": "port", "database": "dbname"}


class DatabaseUrl(NamedTuple):
    """A URL of SQLAlchemy, which messages show and copies change, and the connection string for libpq.

    SQLAlchemy does not accept each form of libpq, so connections to PostgreSQL use the connection string.
    """

    url: URL
    conninfo: str = ""


def parsed_url(database_url: str) -> DatabaseUrl:
    """Return the parts of a URL: `sqlite:///file` or `postgresql://…`. Raise ValueError for any other."""
    try:
        if _POSTGRESQL.match(database_url):
            return _of_postgresql(database_url)
        url = make_url(database_url)
    except (ArgumentError, ValueError):
        raise ValueError("HOPTAC_DATABASE_URL: is not a URL; try sqlite:///hoptac.db or postgresql://…") from None
    if url.get_backend_name() != "sqlite":
        raise ValueError("HOPTAC_DATABASE_URL: only sqlite:///FILE and postgresql://… are supported")
    if not url.database or url.database == ":memory:":
        raise ValueError("HOPTAC_DATABASE_URL: an SQLite database needs a file, such as sqlite:///hoptac.db")
    return DatabaseUrl(url.set(drivername="sqlite"))


def conninfos_of_servers(read_url: str) -> list[str]:
    """Return the connection string of each server in URLs of PostgreSQL, which are separated by spaces."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - importing the driver takes time

    servers: list[str] = []
    for database_url in read_url.split():
        try:
            servers += servers_of(make_conninfo(**_parameters_of(database_url)))
        except ValueError:
            raise ValueError("HOPTAC_READ_URL: takes URLs postgresql://…, separated by spaces") from None
    if len(servers) > MAX_REPLICAS:
        raise ValueError(f"HOPTAC_READ_URL: at most {MAX_REPLICAS} servers")
    return servers


def servers_of(conninfo: str) -> list[str]:
    """Return a connection string for each server of one that can name several."""
    from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415 - importing the driver takes time

    parameters: dict[str, Any] = conninfo_to_dict(conninfo)
    lists = {name: str(parameters.pop(name)).split(",") for name in _OF_SERVER if name in parameters}
    servers: list[str] = []
    for number in range(max(map(len, lists.values()), default=1)):
        own = {name: values[number if number < len(values) else 0] for name, values in lists.items()}
        servers.append(make_conninfo(**{**parameters, **own}))
    return servers


def _parameters_of(database_url: str) -> dict[str, Any]:
    """Return the parameters of a URL of PostgreSQL. Raise ValueError if libpq refuses it."""
    from psycopg import ProgrammingError  # noqa: PLC0415 - importing the driver takes time
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    if not _POSTGRESQL.match(database_url):
        raise ValueError
    try:
        parameters: dict[str, Any] = conninfo_to_dict(_POSTGRESQL.sub("postgresql://", database_url, count=1))
    except ProgrammingError:
        raise ValueError from None
    if not re.fullmatch(r"(\d{0,5},)*\d{0,5}", str(parameters.get("port", ""))):
        raise ValueError
    if "://" in str(parameters.get("dbname", "")):  # URLs that are separated by commas
        raise ValueError
    return parameters


def _of_postgresql(database_url: str) -> DatabaseUrl:
    """Return a URL with any number of servers. Raise ValueError if libpq refuses it."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - importing the driver takes time

    parameters = _parameters_of(database_url)
    ports = str(parameters.get("port", ""))
    conninfo = make_conninfo(**parameters)
    in_query = {name: str(value) for name, value in parameters.items() if name not in _PARTS.values()}
    parts = {ours: parameters.get(name) for ours, name in _PARTS.items()}
    host = str(parts["host"] or "")
    if "," in host + ports or host.startswith(("/", "@")):  # a URL of SQLAlchemy has these in its query
        in_query |= {name: str(value) for name in ("host", "port") if (value := parts.pop(name)) is not None}
    elif parts["port"] is not None:
        parts["port"] = int(ports) if ports else None
    return DatabaseUrl(URL.create("postgresql+psycopg", **parts, query=in_query), conninfo)
