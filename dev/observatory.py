"""`make observatory`: scan a production-like site with Mozilla Observatory; fail below MIN_SCORES.

The scanner is an npm package, installed in a temporary folder. It uses a single port for HTTP and
HTTPS, so a proxy on that port forwards each connection to one of two gunicorns by its protocol.
"""

import asyncio
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dev.stack import ROOT, Child, Stack, StackError, commands, end_on_signals, free_port

SCANNER = "@mdn/mdn-http-observatory@1.4.8"
MIN_SCORES = {"/accounts/login/": 140, "/": 135}
TLS_HANDSHAKE = 0x16  # first byte of a TLS connection


def install_scanner(folder: Path) -> None:
    """Install the scanner without running its scripts, which would download optional lists."""
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(folder)]
    command = ["npm", "install", *options, SCANNER]
    subprocess.run(command, check=True, capture_output=True, text=True)
    conf = folder / "node_modules" / "@mdn" / "mdn-http-observatory" / "conf"
    # The scanner requires the list of preloaded hosts, which does not contain localhost.
    (conf / "hsts-preload.json").write_text("{}")


def create_certificate(folder: Path) -> Path:
    """Write a key and a self-signed certificate for localhost, valid for a day, to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = folder / "site.pem"
    path.write_bytes(
        key.private_bytes(pem, secret, serialization.NoEncryption()) + certificate.public_bytes(pem)
    )
    return path


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _serve_proxy(port: int, plain_port: int, tls_port: int) -> None:
    """Forward each connection by its protocol."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        is_tls = bool(first) and first[0] == TLS_HANDSHAKE
        target_port = tls_port if is_tls else plain_port
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", target_port)
        inner_writer.write(first)
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def running_site(folder: Path, certificate: Path) -> Iterator[str]:
    """Run a production-like site and yield its host and port."""
    port, tls_port = free_port(), free_port()
    host = f"localhost:{port}"
    variables = {
        "DEBUG": "false",
        "HTTPS": "true",
        "STATIC_COLLECTED": "false",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
    }
    with Stack(folder, **variables) as stack:
        stack.run("migrate", "--verbosity", "0")
        stack.start("broker", "site")
        plain = urlsplit(stack.site_url).netloc
        command = [
            part.replace(plain, f"127.0.0.1:{tls_port}") for part in commands(stack.env)["site"]
        ]
        log = stack.log_dir / "tls.log"
        stack.children["tls"] = Child(
            "tls", [*command, "--certfile", str(certificate)], stack.env, log
        )
        proxy = _serve_proxy(port, int(plain.rpartition(":")[2]), tls_port)
        Thread(target=asyncio.run, args=[proxy], daemon=True).start()
        for listening_port in (tls_port, port):
            _wait_for_port(stack, listening_port)
        yield host


def _wait_for_port(stack: Stack, port: int) -> None:
    while True:
        stack.check()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)


def scan(folder: Path, certificate: Path, addresses: list[str]) -> dict[str, Any]:
    env = os.environ | {"NODE_EXTRA_CA_CERTS": str(certificate)}
    command = ["node", str(ROOT / "dev" / "observatory.mjs"), str(folder), *addresses]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    results: dict[str, Any] = json.loads(done.stdout)
    return results


def print_result(path: str, result: dict[str, Any]) -> bool:
    """Print the result of one page and return whether its score is high enough."""
    score = result["scan"]["score"]
    print(f"{path:18} {result['scan']['grade']:3} {score} (minimum {MIN_SCORES[path]})")
    for name, test in sorted(result["tests"].items()):
        print(f"  {name:30} {test['scoreModifier']:+4d}  {test['result']}")
    return bool(score >= MIN_SCORES[path])


def main() -> int:
    end_on_signals()
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        print(f"The scanner needs {' and '.join(missing)}. Install Node.js first.", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="microblog-observatory-") as name:
            folder = Path(name)
            install_scanner(folder)
            certificate = create_certificate(folder)
            with running_site(folder / "var", certificate) as host:
                results = scan(folder, certificate, [host + path for path in MIN_SCORES])
    except StackError as error:
        print(f"Scan failed: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"Scan failed: {error}\n{error.stderr}", file=sys.stderr)
        return 1
    missed = [path for path in MIN_SCORES if not print_result(path, results[host + path])]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
