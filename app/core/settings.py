"""The settings, read from environment variables `HOPTAC_…`. docs/settings.md lists them with these descriptions."""

import difflib
import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PREFIX = "HOPTAC_"
SECRETS = (
    "database_url",
    "read_url",
    "mcp_key",
    "rate_limit_url",
)  # settings that can be in a file, which `HOPTAC_…_FILE` names
OTHER_NAMES = ("HOPTAC_PUBLISH", "HOPTAC_WEBHOOK_SECRET")  # of compose.yaml and of a program in examples/

# None of these can be the path of a proxy: the program could not tell whether the proxy has removed it from a request.
OWN_PATHS = (
    "v1",
    "docs",
    "guides",
    "reference",
    "problems",
    "openapi.json",
    "livez",
    "readyz",
    "metrics",
    "mcp",
    "llms.txt",
    ".well-known",
)


class Settings(BaseSettings):
    """The settings of an operator."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    database_url: str = Field(
        default="sqlite:///hoptac.db", description="Database: `sqlite:///FILE` or `postgresql://…`."
    )
    read_url: str = Field(
        default="",
        max_length=10_000,
        description="Replicas of a PostgreSQL database, which clients read: URLs of one or several servers, separated "
        "by spaces. Empty: no replicas.",
    )
    read_max_lag: float = Field(
        default=10.0,
        ge=1,
        le=3_600,
        description="Seconds for which a replica may be behind the primary: until it has caught up, others are read. "
        "And those for which a read node may be behind its source: then it is not ready.",
    )
    writer_url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]{1,500})?$",
        description="Public URL of the registry that this database mirrors. The server is then a read node: it answers "
        "public reads, and refers everything else to this URL. Empty: no read node.",
    )
    host: str = Field(default="127.0.0.1", description="Address on which `hoptac serve` listens.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port on which `hoptac serve` listens.")
    workers: int = Field(default=1, ge=1, le=64, description="Number of server processes.")
    stop_delay: float = Field(
        default=0.0,
        ge=0,
        le=300,
        description="Seconds from SIGTERM until the server stops. Meanwhile it serves requests, and `/readyz` is 503, "
        "so that a load balancer sends no more of them.",
    )
    access_log: bool = Field(default=True, description="Write one structured log line per request.")
    log_clients: Literal["full", "network", "none"] = Field(
        default="full",
        description="Clients in the access log. `full`: address and user agent. `network`: 24 bits of an IPv4 address, "
        "48 of an IPv6 address. `none`: neither. The numbers of refused and malformed requests keep the address.",
    )
    metrics: bool = Field(
        default=False, description="Serve Prometheus metrics at `/metrics` (needs the extra `metrics`)."
    )
    metrics_port: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Port for the metrics of all processes, as the only ones (needs the extra `metrics`). 0: no port.",
    )
    mcp_key: str = Field(
        default="", description="Key with which `hoptac mcp` writes drafts. Clients of `/mcp` send a key of their own."
    )
    query_deadline: float = Field(
        default=5.0,
        gt=0,
        le=300,
        description="Maximum time in seconds that a read runs, and that a long read waits for its turn. "
        "Then the answer is 503.",
    )
    inline_budget: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="CPU seconds that a read may use in the event loop before it moves to a thread.",
    )
    hot_cache: int = Field(
        default=64,
        ge=0,
        le=100_000,
        description="Size of the response cache of each process in megabytes. 0: no cache.",
    )
    hot_staleness: float = Field(
        default=0.05,
        ge=0,
        le=60,
        description="Maximum time in seconds for which a cached response may miss a write of another process.",
    )
    max_body: int = Field(
        default=1_000_000, ge=1_000, le=1_000_000_000, description="Maximum size of a request body in bytes."
    )
    rate_limit_key: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="Maximum number of units per minute with one key. A request costs one unit, and one more for each "
        "2 ms that the server works for it. 0: no limit.",
    )
    rate_limit_address: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="Maximum number of units per minute from one address (IPv6: /64) without a valid key. 0: no limit.",
    )
    rate_limit_url: str = Field(
        default="",
        pattern=r"^((redis|rediss|unix)://[!-~]{1,500})?$",
        description="Redis or Valkey in which several servers share what clients have used of their limits, as "
        "`redis://…` (needs the extra `redis`). Empty: the processes of one server share it.",
    )
    key_max_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Maximum number of days for which a new key is valid. 0: no limit, and keys that never expire.",
    )
    trusted_proxies: str = Field(
        default="",
        max_length=2_000,
        description="Trusted proxies for `X-Forwarded-For`: addresses and networks, separated by commas. `*`: all.",
    )
    head_deadline: float = Field(
        default=10.0, gt=0, le=3_600, description="Maximum time in seconds until the headers of a request have arrived."
    )
    stall_deadline: float = Field(
        default=20.0,
        gt=0,
        le=3_600,
        description="Maximum time in seconds for which a body or response may be slower than 1,000 bytes per second.",
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Maximum number of open connections per process. A new one then replaces an idle or stalled one.",
    )
    max_connections_address: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="Maximum connections per process from one address (IPv6: /64). Trusted proxies have no limit.",
    )
    max_import: int = Field(
        default=100_000_000, ge=1_000, le=10_000_000_000, description="Maximum size of a file to import in bytes."
    )
    import_quota: int = Field(
        default=1_000_000_000,
        ge=1_000,
        le=1_000_000_000_000,
        description="Maximum size in bytes of the imports that are stored for one key. All keys: ten times as much.",
    )
    write_quota: int = Field(
        default=2_000_000_000,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum number of bytes that one key writes in a day (UTC): the representations of all versions, "
        "and about 600 for each word that is new to the search. 0: no limit.",
    )
    archive_folder: str = Field(
        default="",
        max_length=1_000,
        description="Folder for the archives of `/v1/export`. Empty: beside an SQLite database, or in the temporary "
        "folder.",
    )
    max_archive: int = Field(
        default=1_000_000_000,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum size in bytes of an archive of `/v1/export`. Two are stored, and each process sends at "
        "most 3 deleted ones to their end. 0: there is no `/v1/export`.",
    )
    cache_control: str = Field(
        default="public, max-age=0, must-revalidate",
        pattern=r"^[ -~]{1,200}$",
        description="`Cache-Control` header of public responses.",
    )
    shared_max_age: int = Field(
        default=0,
        ge=0,
        le=31_536_000,
        description="Seconds for which a cache in front of the server may use a public response, if changed "
        "responses are deleted from it. 0: responses do not say what they depend on.",
    )
    shared_stale: int = Field(
        default=0,
        ge=0,
        le=31_536_000,
        description="Seconds for which this cache may use an expired response while it fetches a new one.",
    )
    root_path: str = Field(
        default="",
        pattern=r"^((/[A-Za-z0-9._~-]{1,60}){1,5})?$",
        description="Path of a proxy below which clients reach the registry, such as `/registry`. Links start with it.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]{1,500})?$",
        description="Public base URL of the registry, with the path of a proxy, for the links in webhooks.",
    )
    webhook_allow: str = Field(
        default="",
        max_length=10_000,
        description="Networks (`10.0.0.0/8`) and http hosts (`http://receiver:8080`) that webhooks may also reach.",
    )
    webhook_sender: bool = Field(
        default=True, description="Send webhooks from the server. If false, `hoptac worker` sends them."
    )
    data_licence: str = Field(default="CC-BY-4.0", description="SPDX id of the licence of the data.")
    data_licence_url: str = Field(
        default="https://creativecommons.org/licenses/by/4.0/", description="URL of the text of that licence."
    )
    contact: str = Field(
        default="",
        pattern=r"^(https?://[!-~]{1,300}|[!-?A-~]{1,64}@[!-?A-~]{1,200})?$",
        description="Where developers ask for a key and report errors: an e-mail address or URL. The docs show it.",
    )
    security_contact: str = Field(
        default="",
        pattern=r"^((https://|mailto:|tel:)[!-~]{1,300})?$",
        description="Where to report a vulnerability, such as `mailto:security@registry.example`, for "
        "`/.well-known/security.txt`. Empty: no such file.",
    )
    site_name: str = Field(default="Hoptac", description="Name of the registry in `/v1` and in the documentation.")
    iati_reporting_org: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9._:()-]{1,100})?$",
        description="IATI organisation identifier of the organisation that publishes the registry. Empty: no IATI "
        "files.",
    )
    iati_reporting_name: str = Field(
        default="",
        max_length=300,
        description="Name of that organisation, in English. Empty: the name of the registry.",
    )
    iati_reporting_type: Literal[
        "10", "11", "15", "21", "22", "23", "24", "30", "40", "60", "70", "71", "72", "73", "80", "90"
    ] = Field(default="90", description="Its code in the IATI code list OrganisationType. 90: other.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read secrets from files too."""
        return init_settings, env_settings, SecretFiles(settings_cls)

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in _items(value):
            if network != "*":
                ipaddress.ip_network(network)
        return value

    @field_validator("root_path")
    @classmethod
    def _is_a_path_of_a_proxy(cls, value: str) -> str:
        segments = value.split("/")[1:]
        if {".", ".."} & {*segments}:
            raise ValueError("a client removes the segments . and .. from a path")
        if segments and segments[0] in OWN_PATHS:
            raise ValueError(f"/{segments[0]} is a path of the registry itself; choose another one")
        return value

    def link_base(self) -> str:
        """Return what precedes `/v1` in the links of webhooks. It is only a path if the public URL is not known."""
        return self.public_url or self.root_path

    def trusts(self) -> list[str]:
        """Return the addresses and networks of trusted proxies."""
        return _items(self.trusted_proxies)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


class SecretFiles(PydanticBaseSettingsSource):
    """Reads secrets from files, such as the secrets of a container. Raises ValueError if one cannot be read."""

    def get_field_value(self, _: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the content of the file for a setting, or None if none is named."""
        variable = f"{PREFIX}{field_name.upper()}"
        path = os.environ.get(f"{variable}_FILE")
        if not path:
            return None, field_name, False
        if variable in os.environ:
            raise ValueError(f"{variable} and {variable}_FILE are both set. Remove one of them.")
        try:
            return Path(path).read_text("utf-8").strip(), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{variable}_FILE: the file cannot be read ({type(error).__name__}).") from None

    def __call__(self) -> dict[str, Any]:
        """Return the settings that are in files."""
        values = {name: self.get_field_value(Settings.model_fields[name], name)[0] for name in SECRETS}
        return {name: value for name, value in values.items() if value is not None}


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield a message for each environment variable that starts like a setting but is not one."""
    variables = [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]
    variables += [f"{PREFIX}{name.upper()}_FILE" for name in SECRETS]
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in (*variables, *OTHER_NAMES):
            similar = difflib.get_close_matches(name.upper(), variables, 1, 0.7)
            hint = f"Did you mean {similar[0]}?" if similar else "docs/settings.md lists the settings."
            yield f"{name[:100]} is not a setting. {hint}"
