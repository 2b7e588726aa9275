"""What the handlers of tasks work with: `Guest`, and `LongGuest` those of the long lane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from trove.datastores import datastore_of
from trove.datastores.parts import Parts
from trove.guestagent.engine import Engine
from trove.guestagent.state import AgentDirectory
from trove.guestagent.tls import Request
from trove.protocol import Accounts, CertificateAnswer

Certify = Callable[[str], CertificateAnswer]
"""Has the conductor sign a request (PEM)."""


@dataclass
class Guest:
    """One engine with its accounts and files."""

    directory: AgentDirectory
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
        with Request(self.directory.spec) as request:
            self.install_certificate(request)
        self.engine.take_up_certificate()

    def install_certificate(self, request: Request) -> None:
        renew_at = request.install(self.certify(request.csr()))
        self.directory.remember(renew_at=renew_at)


@dataclass
class LongGuest:
    """The same in the process of a long task, where nothing may change the engine."""

    directory: AgentDirectory

    @cached_property
    def parts(self) -> Parts:
        return Parts(datastore_of(self.directory.manager), self.directory.spec)
