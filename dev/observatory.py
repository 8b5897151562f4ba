"""`make observatory`: Mozilla's own scanner over a site like that of production, which must reach our bars.

The scanner is an npm package that knows one port alone for HTTP and HTTPS, so a small door stands before two gunicorns
and sends each connection to the one that speaks its language. The scanner's packages lie in a temporary folder.
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
BARS = {"/accounts/login/": 140, "/": 135}
TLS_HANDSHAKE = 0x16


def install(folder: Path) -> None:
    """The scanner, without the scripts of its packages: they would fetch lists that it does without."""
    command = [
        "npm",
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--prefix",
        str(folder),
    ]
    subprocess.run([*command, SCANNER], check=True, capture_output=True, text=True)
    conf = folder / "node_modules" / "@mdn" / "mdn-http-observatory" / "conf"
    (conf / "hsts-preload.json").write_text(
        "{}"
    )  # the list of preloaded hosts: ours is none of them


def make_certificate(folder: Path) -> Path:
    """A key and a certificate for this machine alone, in one file, good for a day."""
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


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    writer.close()


async def _door(port: int, plain_port: int, tls_port: int) -> None:
    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(1)
        chosen = tls_port if first and first[0] == TLS_HANDSHAKE else plain_port
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", chosen)
        inner_writer.write(first)
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    server = await asyncio.start_server(enter, "127.0.0.1", port)
    await server.serve_forever()


@contextmanager
def site(folder: Path, certificate: Path) -> Iterator[str]:
    """A running site as in production; gives its host and port."""
    port, tls_port = free_port(), free_port()
    host = f"localhost:{port}"
    changes = {
        "DEBUG": "false",
        "HTTPS": "true",
        "STATIC_COLLECTED": "false",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
    }
    with Stack(folder, **changes) as stack:
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
        door = _door(port, int(plain.rpartition(":")[2]), tls_port)
        Thread(target=asyncio.run, args=[door], daemon=True).start()
        for listening in (tls_port, port):
            _await(stack, listening)
        yield host


def _await(stack: Stack, port: int) -> None:
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


def report(path: str, result: dict[str, Any]) -> bool:
    """Print what the scanner says of one page; whether it reaches its bar."""
    score = result["scan"]["score"]
    print(f"{path:18} {result['scan']['grade']:3} {score}, at least {BARS[path]}")
    for name, test in sorted(result["tests"].items()):
        print(f"  {name:30} {test['scoreModifier']:+4d}  {test['result']}")
    return bool(score >= BARS[path])


def main() -> int:
    end_on_signals()
    if missing := [name for name in ("node", "npm") if shutil.which(name) is None]:
        print(f"The scanner needs {' and '.join(missing)}, which is not here.", file=sys.stderr)
        return 1
    try:
        with tempfile.TemporaryDirectory(prefix="microblog-observatory-") as name:
            folder = Path(name)
            install(folder)
            certificate = make_certificate(folder)
            with site(folder / "var", certificate) as host:
                results = scan(folder, certificate, [host + path for path in BARS])
    except StackError as error:
        print(f"No scan: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"No scan: {error}\n{error.stderr}", file=sys.stderr)
        return 1
    missed = [path for path in BARS if not report(path, results[host + path])]
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
