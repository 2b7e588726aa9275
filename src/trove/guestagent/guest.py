"""What the handlers of tasks work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trove.datastores.parts import Parts
from trove.guestagent.engine import Engine
from trove.guestagent.state import Home
from trove.guestagent.tls import Request
from trove.protocol import Accounts, CertificateAnswer

Certify = Callable[[str], CertificateAnswer]
"""Has the conductor sign a request (PEM)."""


@dataclass
class Guest:
    """One engine with its accounts and files."""

    home: Home
    engine: Engine
    certify: Certify
    publish: Callable[[Accounts], None]
    """Puts the accounts into the next report."""

    @property
    def parts(self) -> Parts:
        return self.engine.parts

    def accounts_now(self) -> Accounts:
        """What there is in the engine, as it is reported, too."""
        accounts = self.parts.accounts()
        self.publish(accounts)
        return accounts

    def renew_certificate(self) -> None:
        """Another key and certificate for a running engine."""
        with Request(self.home.spec) as request:
            self.install_certificate(request)
        self.engine.take_up_certificate()

    def install_certificate(self, request: Request) -> None:
        renew_at = request.install(self.certify(request.csr()))
        self.home.remember(renew_at=renew_at)
