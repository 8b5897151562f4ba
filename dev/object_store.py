"""Object store of the local stack: moto's S3 server, which keeps everything in memory."""

import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from dev.stack import Child, StackError, free_port

BUCKET = "microblog-archives"
REGION = "us-east-1"


class ObjectStore:
    """Context manager over a server at `url` with one empty private bucket."""

    def __init__(self, folder: Path) -> None:
        """Prepare a server that writes its log to `folder`."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            "EXPORT_BUCKET": BUCKET,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
        }
        self._command = [sys.executable, "-m", "moto.server", "--port", str(port)]
        self._log = folder / "object_store.log"

    def __enter__(self) -> "ObjectStore":
        self._child = Child("object store", self._command, {"PATH": "/usr/bin:/bin"}, self._log)
        try:
            self._create_bucket()
        except BaseException:
            self._child.kill()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._child.kill()

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def keys(self) -> list[str]:
        """Return the names of all objects in the bucket."""
        listing = self.client().list_objects_v2(Bucket=BUCKET)
        return [item["Key"] for item in listing.get("Contents", [])]

    def _create_bucket(self, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.client().create_bucket(Bucket=BUCKET)
                return
            except BotoCoreError as error:
                if time.monotonic() > deadline or not self._child.is_running:
                    raise StackError(
                        f"The object store did not start. End of its log:\n"
                        f"{self._child.last_lines()}"
                    ) from error
                time.sleep(0.05)
