"""MariaDB as a process, by its server alone: `mariadbd --bootstrap` makes the system tables."""

from __future__ import annotations

import secrets
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pymysql
from pymysql.constants import CR, ER

from trove.datastores import process
from trove.datastores.base import Driver, Source, Tls
from trove.datastores.mariadb import MANIFEST, timezones
from trove.datastores.mariadb.configuration import AT_START, render, settings_of
from trove.datastores.mariadb.session import SOCKET, connect, session
from trove.datastores.mysqlfamily.session import ADMIN, execute, query, secret_file, verifier
from trove.datastores.server import Program, Server
from trove.errors import Failed
from trove.files import write_private
from trove.protocol import EngineState
from trove.protocol.engine_spec import EngineSpec

PING_SECONDS = 2
REFUSALS = frozenset({ER.ACCESS_DENIED_ERROR, 4151})  # 4151: the account is locked
HARMED = (
    f"the administrator's account {ADMIN} was dropped, locked or changed, so that nothing can be "
    "managed; restart the instance to have it repaired"
)
# What mariadb-install-db feeds to the server, in its order; releases differ in the first word.
SCRIPTS = (
    "m*_system_tables.sql",
    "m*_performance_tables.sql",
    "m*_system_tables_data.sql",
    "fill_help_tables.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "m*_sys_schema.sql",
)
OPENING = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket=NULL;\n"
# Only the administrator and the locked root: no anonymous user, no password-less root.
ACCOUNTS = """
FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
DELETE FROM mysql.db;
DELETE FROM mysql.proxies_priv;
FLUSH PRIVILEGES;
CREATE USER {admin}@localhost IDENTIFIED VIA mysql_native_password USING '{verifier}';
GRANT ALL ON *.* TO {admin}@localhost WITH GRANT OPTION;
CREATE USER root@`%` IDENTIFIED VIA mysql_native_password USING '{unknown}' ACCOUNT LOCK;
GRANT ALL ON *.* TO root@`%` WITH GRANT OPTION;
"""
# Root, once it was enabled, may have dropped or locked the administrator.
REPAIR = """\
CREATE USER IF NOT EXISTS {admin}@localhost;
ALTER USER {admin}@localhost IDENTIFIED VIA mysql_native_password USING '{verifier}' ACCOUNT UNLOCK;
GRANT ALL ON *.* TO {admin}@localhost WITH GRANT OPTION;
"""
# Nothing is synced while the tables are made: `prepare` syncs all of it before it says complete.
BOOTSTRAP = (
    "--bootstrap",
    "--silent-startup",
    "--log-warnings=0",
    "--enforce-storage-engine=",
    "--max-allowed-packet=8M",
    "--net-buffer-length=16K",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=0",
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=32M",
    "--debug-no-sync",
)


def create_driver(spec: EngineSpec) -> Driver:
    return MariadbDriver(spec)


def create_tls(spec: EngineSpec) -> Tls:
    return MariadbDriver(spec)


def program_at(spec: EngineSpec) -> Program:
    """One process with a thread for each connection."""
    return Program(
        title="MariaDB",
        name="mariadbd",
        directory="mariadb",
        configuration=spec.config / "mariadb.cnf",
        pid_file=spec.run / "mariadb.pid",
        logs=MANIFEST.logs,
        # InnoDB writes its dirty pages on the way out.
        endings=[(SIGTERM, 120.0), (SIGKILL, 10.0)],
        stale=[spec.run / SOCKET],
        is_alone=True,
    )


class MariadbDriver:
    """See `trove.datastores.base.Driver`, and `Tls`."""

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.server = Server(spec, program_at(spec))
        self._scratch = spec.data / "mariadb-tmp"
        self._is_refused = False

    def is_prepared(self) -> bool:
        return self.server.is_prepared()

    def prepare(self, source: Source) -> None:
        self.server.prepare(self._make)

    def configure(self) -> None:
        known = verifier(secret_file(self.spec).read_text()) if self.is_prepared() else ""
        self.server.configure(
            {
                "mariadb.cnf": render(settings_of(self.spec)),
                AT_START: REPAIR.format(admin=ADMIN, verifier=known) if known else "",
            }
        )

    def start(self) -> None:
        # First of all options, or mariadbd refuses it; nothing of the machine's /etc/mysql is read.
        options = [f"--defaults-file={self.server.program.configuration}", self._basedir()]
        self.server.start(options, self._is_ready)

    def stop(self) -> None:
        self.server.stop()

    def reload(self) -> None:
        """Use the present certificate; succeeds if the engine does not run."""
        if self.server.pid():
            with session(self.spec) as link:
                execute(link, "FLUSH SSL")

    def state(self) -> EngineState:
        return self._ping() if self.server.pid() else EngineState.STOPPED

    def complaint(self) -> str | None:
        """What the last look at the state has found."""
        return HARMED if self._is_refused else None

    def is_alive(self) -> bool:
        return self.server.pid() is not None

    def tend(self) -> None:
        self.server.trim_logs()

    def version(self) -> str:
        with session(self.spec) as link:
            # `10.11.19-MariaDB-0+deb12u1`.
            return str(query(link, "SELECT VERSION()")[0][0]).partition("-")[0]

    def _make(self) -> None:
        server = process.program_of(self.spec.binaries, self.server.program.name)
        for directory in (self.server.directory, self._scratch):
            directory.mkdir(mode=0o700, exist_ok=True)
        password = secrets.token_urlsafe(32)
        write_private(secret_file(self.spec), password)
        # A server that starts removes the temporary tables of others from a directory that it
        # shares with them, such as /tmp, and those others fail or crash.
        places = [f"--datadir={self.server.directory}", f"--tmpdir={self._scratch}"]
        command = [str(server), "--no-defaults", self._basedir(), *places, *BOOTSTRAP]
        process.run(command, "mariadbd --bootstrap", feed=self._sql(password))

    def _basedir(self) -> str:
        # Programs know where they were built for, not where they have been unpacked.
        return f"--basedir={self.spec.binaries.resolve().parent}"

    def _sql(self, password: str) -> str:
        share = _share_directory(self.spec.binaries)
        scripts = "\n".join(_script(share, pattern) for pattern in SCRIPTS)
        unknown = verifier(secrets.token_urlsafe(32))
        accounts = ACCOUNTS.format(admin=ADMIN, verifier=verifier(password), unknown=unknown)
        return OPENING + scripts + timezones.statements_of() + accounts

    def _is_ready(self) -> bool:
        # The pid file is written after recovery.
        return self.server.program.pid_file.exists() and self._ping() is EngineState.RUNNING

    def _ping(self) -> EngineState:
        try:
            # Not COM_PING on a kept connection: whether new ones are taken is the question.
            connect(self.spec, seconds=PING_SECONDS).close()
        except (FileNotFoundError, ConnectionRefusedError):
            return EngineState.STARTING
        except pymysql.OperationalError as error:
            self._is_refused = error.args[0] in REFUSALS
            return _state_after(error.args[0])
        except (OSError, pymysql.Error, Failed):
            return EngineState.BLOCKED
        self._is_refused = False
        return EngineState.RUNNING


def _state_after(code: int) -> EngineState:
    """A server that says something, such as `too many connections`, runs."""
    # For a process that hangs the kernel still accepts; the greeting then never comes (2013).
    return EngineState.BLOCKED if code == CR.CR_SERVER_LOST else EngineState.RUNNING


def _share_directory(binaries: Path) -> Path:
    """Where the SQL of the system tables is; raises Failed."""
    root = binaries.resolve().parent
    candidates = (root / "share" / "mysql", root / "share" / "mariadb", root / "share")
    for directory in candidates:
        if (directory / SCRIPTS[3]).is_file():
            return directory
    raise Failed(f"{SCRIPTS[3]} is not below {root / 'share'}; install the whole server package")


def _script(share: Path, pattern: str) -> str:
    """The text of one script; raises Failed."""
    found = sorted(share.glob(pattern))
    if not found:
        raise Failed(f"{share / pattern} is missing; install the whole server package")
    return found[0].read_text(errors="replace")
