"""URLs of databases: each form that libpq accepts means the same to the program."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.core.database.urls import conninfos_of_servers, parsed_url

FORMS = (
    "postgresql://",
    "postgresql:///registry",
    "postgresql://host",
    "postgresql://host/registry",
    "postgresql://host:5433/registry",
    "postgres://reader@host/registry",
    "postgresql://reader:p%40ss%2Fw%C3%B6rd@host/registry",
    "postgresql://host/registry?connect_timeout=5&application_name=a%20b",
    "postgresql:///registry?host=host&port=5433&user=reader&password=secret",
    "postgresql://h1,h2,h3/registry",
    "postgresql://reader:secret@h1:5433,h2:5434,h3/registry?target_session_attrs=read-write",
    "postgresql://h1,h2:5434/registry?load_balance_hosts=random&target_session_attrs=prefer-standby",
    "postgresql:///registry?host=h1,h2&port=5433,5434",
    "postgresql:///registry?host=h1,h2&port=5433",
    "postgresql:///registry?host=h1,h2&hostaddr=10.0.0.1,10.0.0.2",
    "postgresql://[::1]:5433/registry",
    "postgresql://[2001:db8::1]:5433,[2001:db8::2]/registry",
    "postgresql://%2Fvar%2Frun%2Fpostgresql/registry",
    "postgresql://%2Fvar%2Frun%2Fpostgresql:5433,host/registry",
    "postgresql:///registry?host=/var/run/postgresql",
    "postgresql:///registry?options=-c%20search_path%3Dregistry&sslmode=require",
)


@pytest.mark.parametrize("form", FORMS)
def test_a_url_means_what_it_means_to_libpq(form: str) -> None:
    parsed = parsed_url(form)
    assert conninfo_to_dict(parsed.conninfo) == conninfo_to_dict(form)
    shown = parsed.url.render_as_string(hide_password=False)
    again = {name: str(value).replace("+", " ") for name, value in conninfo_to_dict(parsed_url(shown).conninfo).items()}
    assert again == conninfo_to_dict(form), shown
    assert "secret" not in parsed.url.render_as_string(hide_password=True)


@pytest.mark.parametrize(
    ("read_url", "servers"),
    [
        ("postgresql://h1/registry", [("h1", None)]),
        ("postgresql://h1:5433,h2,[::1]:5434/registry", [("h1", "5433"), ("h2", ""), ("::1", "5434")]),
        (" postgres://h1/a\n postgresql+psycopg://h2:5433/b ", [("h1", None), ("h2", "5433")]),
        ("postgresql:///registry?host=h1,/run&port=5433", [("h1", "5433"), ("/run", "5433")]),
        ("postgresql:///registry", [(None, None)]),
    ],
)
def test_each_server_of_a_url_is_a_replica_of_its_own(
    read_url: str, servers: list[tuple[str | None, str | None]]
) -> None:
    found = [conninfo_to_dict(conninfo) for conninfo in conninfos_of_servers(read_url)]
    assert [(each.get("host"), each.get("port")) for each in found] == servers
    assert all(each["dbname"] in ("registry", "a", "b") for each in found)


@pytest.mark.parametrize(
    "read_url",
    [
        "sqlite:///x.db",
        "host",
        "postgresql://h/a,postgresql://h/b",
        "postgresql://h/a x",
        "postgresql://" + "h," * 16 + "h",
    ],
)
def test_other_urls_of_replicas_are_refused(read_url: str) -> None:
    with pytest.raises(ValueError, match="HOPTAC_READ_URL: "):
        conninfos_of_servers(read_url)


def test_the_driver_in_a_url_is_ignored() -> None:
    forms = ("postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg")
    assert len({parsed_url(f"{form}://h1:5433,h2/registry") for form in forms}) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://h1:port,h2/registry",
        "postgresql://h1:123456/registry",
        "postgresql://[::1/registry",
        "postgresql://host/registry?unknown=1",
        "postgresql://reader:100%@host/registry",
        "postgresql+psycopg",
        "sqlite://",
        "mysql://host/registry",
    ],
)
def test_other_urls_are_refused_without_their_password(url: str) -> None:
    with pytest.raises(ValueError, match="HOPTAC_DATABASE_URL: ") as refused:
        parsed_url(url)
    assert "100" not in str(refused.value)
