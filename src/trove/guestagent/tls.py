"""The server's key and certificate. The key never leaves the guest.

A process of its own makes the key: an `openssl` where there is one, or else `certificate.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from trove.errors import Failed
from trove.files import sync, write_private
from trove.protocol import CertificateAnswer
from trove.protocol.engine_spec import EngineSpec

REQUEST = Path(__file__).with_name("request.cnf")
PATIENCE = 60.0


class Request:
    """A key and its signing request, being made by a process while others work."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._new_key = spec.config / ".server.key.new"
        spec.config.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = _begin(self._new_key)

    def __enter__(self) -> Request:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def csr(self) -> str:
        """The request in PEM; waits until it is made. Raises Failed."""
        try:
            out, err = self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"no key for the server within {PATIENCE:.0f} seconds") from None
        if self._process.returncode != 0:
            raise Failed(f"cannot make a key for the server: {err.decode()[-500:]}")
        return out.decode()

    def install(self, answer: CertificateAnswer) -> float:
        """Put key, certificate and authority in their places; when to renew (Unix time).

        A crash between the two renames leaves a pair that does not match; the time to renew is
        remembered after them, so another renewal is due, whether the engine starts or not.
        """
        # The key's maker did not: without it, a power cut might leave an empty one.
        sync(self._new_key)
        write_private(self._spec.authority, answer.authority.encode())
        self._new_key.replace(self._spec.private_key)
        write_private(self._spec.certificate, answer.certificate.encode())
        sync(self._spec.config)
        return time.time() + answer.renew_seconds


def _begin(key: Path) -> subprocess.Popen[bytes]:
    key.unlink(missing_ok=True)
    openssl = shutil.which("openssl")
    command = _openssl_command(openssl, key) if openssl else _own_command(key)
    return subprocess.Popen(  # noqa: S603 - fixed words and one path of ours
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        umask=0o077,
    )


def _openssl_command(openssl: str, key: Path) -> list[str]:
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-config", str(REQUEST), "-keyout", str(key)]
    return [openssl, "req", "-new", *curve, "-nodes", "-sha256", *files]


def _own_command(key: Path) -> list[str]:
    return [sys.executable, "-m", "trove.guestagent.certificate", str(key)]
