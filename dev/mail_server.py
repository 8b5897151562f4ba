"""Mail server of the local stack: accepts all mail over SMTP and writes each message to a file.

python -m dev.mail_server --port 2525 --dir var/mail
"""

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from email import message_from_bytes, policy
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

MAX_MESSAGE_BYTES = 50_000_000


class FolderHandler:
    """Writer of `<nanoseconds>-<count>.eml` files, which sort by arrival and are never partial."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.count = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)  # SMTP(decode_data=False)
        self.count += 1
        path = self.folder / f"{time.time_ns()}-{self.count:06}.eml"
        part = path.with_suffix(".part")
        part.write_bytes(content)
        part.replace(path)
        subject = message_from_bytes(content, policy=policy.default)["subject"]
        recipients = ", ".join(envelope.rcpt_tos)
        print(f"{path.name}: to {recipients}: {subject} ({len(content):,} bytes)", flush=True)
        return "250 Message accepted"


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    return stop


async def listen(port: int, handler: object) -> asyncio.Server:
    """Listen on 127.0.0.1; port 0 means any free one."""

    def create_session() -> SMTP:
        return SMTP(
            handler,
            hostname="localhost",
            data_size_limit=MAX_MESSAGE_BYTES,
            enable_SMTPUTF8=True,
        )

    return await asyncio.get_running_loop().create_server(create_session, "127.0.0.1", port)


async def serve(port: int, folder: Path) -> None:
    """Accept mail until SIGTERM or SIGINT."""
    stop = stop_signal()
    server = await listen(port, FolderHandler(folder))
    bound_port = server.sockets[0].getsockname()[1]
    print(f"Mail server on 127.0.0.1:{bound_port}, writing to {folder}", flush=True)
    await stop.wait()
    server.close()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Accept mail over SMTP and write it to files.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    asyncio.run(serve(options.port, options.dir))


if __name__ == "__main__":
    main(sys.argv[1:])
