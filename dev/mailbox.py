"""Reader of the messages that the local mail server wrote."""

import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path


@dataclass(frozen=True)
class Mail:
    path: Path
    message: EmailMessage

    def attachment(self, name: str) -> EmailMessage | None:
        """Return the attachment with that file name, or None."""
        for part in self.message.iter_attachments():
            if isinstance(part, EmailMessage) and part.get_filename() == name:
                return part
        return None


@dataclass(frozen=True)
class Mailbox:
    folder: Path

    def mails(self, to: str, after: str = "") -> list[Mail]:
        """Return the mails to that address, oldest first, that are newer than the file `after`."""
        paths = sorted(path for path in self.folder.glob("*.eml") if path.name > after)
        mails = [
            Mail(path, message_from_bytes(path.read_bytes(), policy=policy.default))
            for path in paths
        ]
        return [mail for mail in mails if to in str(mail.message["to"])]

    def newest_name(self) -> str:
        """Return the file name of the newest mail, or an empty string."""
        return max((path.name for path in self.folder.glob("*.eml")), default="")

    def wait(self, to: str, *, after: str = "", seconds: float = 30) -> Mail:
        """Wait for the first such mail. Raises TimeoutError after `seconds`."""
        deadline = time.monotonic() + seconds
        while not (mails := self.mails(to, after)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"No mail to {to} in {self.folder} after {seconds:g} seconds.")
            time.sleep(0.1)
        return mails[0]
