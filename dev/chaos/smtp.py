"""Mail server with faults on demand: `python -m dev.chaos.smtp --port 2525 --dir FOLDER`.

FOLDER/mode holds one of MODES. Each accepted message is FOLDER/<nanoseconds>-<count>.eml, and a
line of FOLDER/accepted has its time and mode. FOLDER/faults has a line for each SMTP session that
met a fault.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from dev.mail_server import listen, stop_signal

MODES = {
    "normal": "accepts each message and answers after --delay seconds",
    "refuse": "does not listen",
    "4xx": "answers DATA with 451",
    "5xx": "answers DATA with 554",
    "reject": "answers DATA with 550",
    "hang": "does not answer DATA",
    "drop": "disconnects after DATA, has not accepted the message",
    "swallow": "disconnects after DATA, has accepted the message",
}
REJECTION = "550 5.1.1 No such mailbox"


class FaultyHandler:
    def __init__(self, folder: Path, delay: float) -> None:
        self.folder = folder
        self.delay = delay
        self.count = 0

    @property
    def mode(self) -> str:
        try:
            return (self.folder / "mode").read_text().strip() or "normal"
        except FileNotFoundError:
            return "normal"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mode = self.mode
        if mode in ("4xx", "5xx", "reject", "hang", "drop"):
            self._log("faults", mode=mode)
        if mode == "4xx":
            return "451 Try again later"
        if mode == "5xx":
            return "554 No"
        if mode == "reject":
            return REJECTION
        if mode == "hang":
            while self.mode == "hang" and _is_connected(server):
                await asyncio.sleep(0.05)
            return "451 Timed out"
        if mode == "drop":
            _disconnect(server)
            return "451 Disconnected"
        return await self._accept(server, envelope, mode)

    async def _accept(self, server: SMTP, envelope: Envelope, mode: str) -> str:
        content = envelope.content
        assert isinstance(content, bytes)  # SMTP(decode_data=False)
        self.count += 1
        path, at = self.folder / f"{time.time_ns()}-{self.count:06}.eml", time.time()
        path.write_bytes(content)
        try:
            if mode == "swallow":
                self._log("faults", mode=mode)
                _disconnect(server)
            else:
                await asyncio.sleep(self.delay)  # cancelled when the client disconnects
        finally:
            self._log("accepted", file=path.name, at=at, mode=mode)
        return "250 Message accepted"

    def _log(self, name: str, **fields: Any) -> None:
        with (self.folder / name).open("a") as file:
            file.write(json.dumps({"at": time.time()} | fields) + "\n")


def _is_connected(server: SMTP) -> bool:
    return server.transport is not None and not server.transport.is_closing()


def _disconnect(server: SMTP) -> None:
    if isinstance(server.transport, asyncio.WriteTransport):
        server.transport.abort()


async def serve(port: int, handler: FaultyHandler) -> None:
    """Listen on 127.0.0.1 until SIGTERM or SIGINT, except in the mode `refuse`."""
    stop = stop_signal()
    listener = None
    while not stop.is_set():
        if listener is None and handler.mode != "refuse":
            listener = await listen(port, handler)
            print(f"Mail server on 127.0.0.1:{port}", flush=True)
        elif listener is not None and handler.mode == "refuse":
            listener.close()
            listener = None
        await asyncio.sleep(0.03)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description="Accept mail over SMTP, with faults on demand.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument(
        "--delay", type=float, default=0.3, help="seconds before a message is answered"
    )
    options = parser.parse_args(arguments)
    options.dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    asyncio.run(serve(options.port, FaultyHandler(options.dir, options.delay)))


if __name__ == "__main__":
    main(sys.argv[1:])
