"""A mail server that misbehaves when told to: `python -m dev.chaos.smtp --port 2525 --dir FOLDER`.

FOLDER/mode holds how (`MODES`). Every message that it really took is in FOLDER as `<nanoseconds>-<count>.eml`, and a
line of FOLDER/ledger says when, and in which mode. FOLDER/mishaps has a line for each
conversation that went wrong as ordered.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

MODES = {
    "well": "takes each message and answers, a little slowly",
    "refuse": "nobody listens",
    "4xx": "answers DATA with 451",
    "5xx": "answers DATA with 554",
    "hang": "does not answer DATA at all",
    "drop": "closes after DATA without a reply, and has not taken the message",
    "swallow": "closes after DATA without a reply, and has taken the message",
}
SIZE_LIMIT = 50_000_000  # bytes


class Moody:
    def __init__(self, folder: Path, slowness: float) -> None:
        self.folder = folder
        self.slowness = slowness
        self.count = 0

    @property
    def mode(self) -> str:
        try:
            return (self.folder / "mode").read_text().strip() or "well"
        except FileNotFoundError:
            return "well"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mode = self.mode
        if mode in ("4xx", "5xx", "hang", "drop"):
            self._note("mishaps", mode=mode)
        if mode == "4xx":
            return "451 Try again later"
        if mode == "5xx":
            return "554 No"
        if mode == "hang":
            while self.mode == "hang" and _is_there(server):
                await asyncio.sleep(0.05)
            return "451 Where was I?"
        if mode == "drop":
            _hang_up(server)
            return "451 Gone"
        return await self._take(server, envelope, mode)

    async def _take(self, server: SMTP, envelope: Envelope, mode: str) -> str:
        content = envelope.content
        assert isinstance(content, bytes)  # the SMTP class is told not to decode
        self.count += 1
        path, at = self.folder / f"{time.time_ns()}-{self.count:06}.eml", time.time()
        path.write_bytes(content)
        try:
            if mode == "swallow":
                self._note("mishaps", mode=mode)
                _hang_up(server)
            else:
                await asyncio.sleep(self.slowness)  # cancelled when the sender goes
        finally:
            self._note("ledger", file=path.name, at=at, mode=mode)
        return "250 Message accepted"

    def _note(self, name: str, **facts: Any) -> None:
        with (self.folder / name).open("a") as file:
            file.write(json.dumps({"at": time.time()} | facts) + "\n")


def _is_there(server: SMTP) -> bool:
    return server.transport is not None and not server.transport.is_closing()


def _hang_up(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


async def serve(port: int, handler: Moody) -> None:
    """Listen on 127.0.0.1, unless told to refuse, until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    listener = None
    while not stop.is_set():
        if listener is None and handler.mode != "refuse":
            listener = await loop.create_server(
                lambda: SMTP(
                    handler, hostname="localhost", data_size_limit=SIZE_LIMIT, enable_SMTPUTF8=True
                ),
                "127.0.0.1",
                port,
            )
            print(f"Mail server on 127.0.0.1:{port}", flush=True)
        elif listener is not None and handler.mode == "refuse":
            listener.close()
            listener = None
        await asyncio.sleep(0.03)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Take mail over SMTP, or misbehave.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument(
        "--slowness", type=float, default=0.3, help="seconds before a message is answered"
    )
    options = parser.parse_args(arguments)
    options.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(options.port, Moody(options.dir, options.slowness)))


if __name__ == "__main__":
    main(sys.argv[1:])
