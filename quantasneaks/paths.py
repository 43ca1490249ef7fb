"""Where the embedded servers live: derived from QS_DATA_DIR alone, so that every command finds them.

Leaf code: standard library only, used by the settings and by `make run` before Django is set up.
"""

import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

LONGEST_SOCKET_PATH = 100  # the kernel's limit is 108 on Linux, 104 on macOS


@dataclass(frozen=True)
class DataDir:
    """The folder that holds everything a demo shop keeps."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def mails(self) -> Path:
        return self.root / "mails"

    @property
    def pictures(self) -> Path:
        return self.root / "pictures"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def sockets(self) -> Path:
        """The folder of the Unix sockets: inside the data folder unless its path is too long for a socket."""
        inside = self.root / "run"
        if len(str(inside / ".s.PGSQL.5432")) <= LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"quantasneaks-{os.getuid()}-{name}"

    @property
    def database_url(self) -> str:
        return f"postgresql://postgres@/quantasneaks?host={self.sockets}"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"

    def secret(self, name: str, prefix: str = "") -> str:
        """A secret made once and kept, readable by its owner only; two processes asking at once get the same one."""
        folder = self.root / "secrets"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / name
        if not path.exists():
            draft = folder / f".{name}.{secrets.token_hex(8)}"
            draft.touch(mode=0o600)
            draft.write_text(prefix + secrets.token_urlsafe(48))
            try:
                os.link(draft, path)  # fails where another process was first: then its secret counts
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text()
