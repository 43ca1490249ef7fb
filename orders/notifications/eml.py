"""Mails as files: what the demo sends is read with any mail program, without a mail server."""

import os
import re
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmlBackend(BaseEmailBackend):
    """One file per message in QS_DATA_DIR/mails, named by its Message-ID, so that a repeat is the same file."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        settings.DATA_DIR.mails.mkdir(parents=True, exist_ok=True, mode=0o700)
        for email in email_messages:
            message = email.message()
            content = message.as_bytes(linesep="\r\n")  # type: ignore[call-arg]  # a keyword of Django's messages
            write(settings.DATA_DIR.mails / file_name(message["Message-ID"]), content)
        return len(email_messages)


def file_name(message_id: str) -> str:
    """`<000042-send_placed@shop.example>` becomes `000042-send_placed.eml`."""
    return re.sub(r"[^\w.-]", "_", message_id.strip("<>").rpartition("@")[0], flags=re.ASCII) + ".eml"


def write(path: Path, content: bytes) -> None:
    """All of it or nothing, and once: a reader never sees half a mail, and one that is there stays as it is.

    Readable by its owner only, for it holds a guest link.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        with suppress(FileExistsError):
            path.hardlink_to(draft)
    finally:
        os.unlink(draft)
