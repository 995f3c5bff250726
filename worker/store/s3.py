"""Pictures in an S3-compatible object store, through boto3 (optional extra ``s3``)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from worker.settings import Settings
from worker.store.errors import StorageError


class S3Backend:
    """Objects ``<prefix>abcdef…`` in one bucket, which is made when it is missing. See ``blobs.Backend``."""

    def __init__(self, settings: Settings) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError:
            raise StorageError("Pictures in S3 need boto3: pip install 'alla-prima[s3]'.") from None
        self.bucket = settings.s3_bucket
        self.prefix = settings.s3_prefix
        self._region = settings.s3_region
        access, secret = settings.s3_access_key, settings.s3_secret_key
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=settings.s3_endpoint_url,
            region_name=settings.s3_region,
            aws_access_key_id=access.get_secret_value() if access else None,
            aws_secret_access_key=secret.get_secret_value() if secret else None,
            config=Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}),
        )
        self._ready = False

    def write(self, key: str, data: bytes) -> None:
        """See ``blobs.Backend``."""
        self._call("put_object", Key=self.prefix + key, Body=data)

    def read(self, key: str) -> bytes | None:
        """See ``blobs.Backend``."""
        answer = self._call("get_object", missing_ok=True, Key=self.prefix + key)
        return None if answer is None else answer["Body"].read()

    def exists(self, key: str) -> bool:
        """See ``blobs.Backend``."""
        return self._call("head_object", missing_ok=True, Key=self.prefix + key) is not None

    def delete(self, key: str) -> None:
        """See ``blobs.Backend``."""
        self._call("delete_object", missing_ok=True, Key=self.prefix + key)

    def check(self) -> None:
        """See ``blobs.Backend``."""
        self._call("head_object", missing_ok=True, Key=self.prefix + "check")

    def tidy(self) -> None:
        """See ``blobs.Backend``; an object appears whole or not at all, so there is nothing to do."""

    def stored(self) -> Iterator[tuple[str, float]]:
        """See ``blobs.Backend``."""
        more: dict[str, Any] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=self.prefix, **more)
            for found in page.get("Contents", ()):
                key = found["Key"][len(self.prefix) :]
                if len(key) == 64 and set(key) <= set("0123456789abcdef"):
                    yield key, found["LastModified"].timestamp()
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _call(self, operation: str, *, missing_ok: bool = False, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            if not self._ready:
                self._make_bucket(ClientError)
            return getattr(self._client, operation)(Bucket=self.bucket, **arguments)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if missing_ok and code in ("NoSuchKey", "404", "NotFound"):
                return None
            raise OSError(f"S3 refused {operation}: {code}") from error
        except BotoCoreError as error:
            raise OSError(f"S3 cannot be reached: {type(error).__name__}") from error

    def _make_bucket(self, client_error: type[Exception]) -> None:
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except client_error as error:
            if error.response.get("Error", {}).get("Code") not in ("404", "NoSuchBucket"):  # type: ignore[attr-defined]
                raise
            place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
            elsewhere = self._region not in (None, "us-east-1")
            # Another process may have made it in the meantime.
            with contextlib.suppress(self._client.exceptions.BucketAlreadyOwnedByYou):
                self._client.create_bucket(Bucket=self.bucket, **(place if elsewhere else {}))
        self._ready = True
