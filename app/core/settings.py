"""Settings, read from `HOPTAC_…` environment variables; each is described in the README."""

import ipaddress

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an operator may choose."""

    model_config = SettingsConfigDict(env_prefix="HOPTAC_", extra="ignore")

    database_url: str = Field(default="sqlite:///hoptac.db", description="sqlite:///FILE or postgresql://…")
    host: str = Field(default="127.0.0.1", description="Address that `hoptac serve` listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that `hoptac serve` listens on.")
    workers: int = Field(default=1, ge=1, le=64, description="Server processes.")
    access_log: bool = Field(default=True, description="One structured log line per request.")
    metrics: bool = Field(default=False, description="Serve Prometheus metrics at /metrics (extra `metrics`).")
    query_deadline: float = Field(default=5.0, gt=0, le=300, description="Seconds a read may take before a 503.")
    inline_budget: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="SQLite: seconds a read may use in the event loop before it gets a thread.",
    )
    hot_cache: int = Field(
        default=64, ge=0, le=100_000, description="Megabytes of answers each process keeps ready; 0 keeps none."
    )
    hot_staleness: float = Field(
        default=0.05,
        ge=0,
        le=60,
        description="Seconds that an answer kept ready may miss the write of another process; one's own: none.",
    )
    max_body: int = Field(default=1_000_000, ge=1_000, le=1_000_000_000, description="Bytes that a body may have.")
    rate_limit_key: int = Field(
        default=0, ge=0, le=10_000_000, description="Requests a minute with one key, per process; 0: any number."
    )
    rate_limit_address: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        description="Requests a minute without a valid key from one address (IPv6: /64), per process; 0: any number.",
    )
    trusted_proxies: str = Field(
        default="",
        max_length=2_000,
        description="Addresses and networks of proxies whose X-Forwarded-For is believed, with commas; `*` is all.",
    )
    head_deadline: float = Field(
        default=10.0, gt=0, le=3_600, description="Seconds that the head of a request may take to arrive."
    )
    stall_deadline: float = Field(
        default=20.0,
        gt=0,
        le=3_600,
        description="Seconds that a body, or an answer on its way out, may stay behind 1,000 bytes a second.",
    )
    max_connections: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Connections that each process holds; above it one that waits, or the slowest, makes room.",
    )
    max_connections_address: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="Of these, connections from one address (IPv6: /64); trusted proxies have no such bound.",
    )
    max_import: int = Field(
        default=100_000_000, ge=1_000, le=10_000_000_000, description="Bytes that a file to import may have."
    )
    cache_control: str = Field(
        default="public, max-age=0, must-revalidate",
        pattern=r"^[ -~]{1,200}$",
        description="Cache-Control of what the registry answers.",
    )
    public_url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]{1,500})?$",
        description="Where the registry is reached, for links it sends.",
    )
    webhook_allow: str = Field(
        default="",
        max_length=10_000,
        description="Networks (`10.0.0.0/8`) and plain hosts (`http://receiver:8080`) that webhooks may reach too.",
    )
    webhook_sender: bool = Field(default=True, description="Send webhooks from the server; otherwise `hoptac worker`.")
    data_licence: str = Field(default="CC-BY-4.0", description="SPDX id of the licence of the data.")
    data_licence_url: str = Field(
        default="https://creativecommons.org/licenses/by/4.0/", description="Where that licence is explained."
    )
    site_name: str = Field(default="Hoptac", description="The registry's name in /v1 and the docs.")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for each in filter(None, (part.strip() for part in value.split(","))):
            if each != "*":
                ipaddress.ip_network(each)
        return value

    def trusts(self) -> list[str]:
        """The addresses and networks of trusted proxies."""
        return [part.strip() for part in self.trusted_proxies.split(",") if part.strip()]
