"""Settings: where they come from, and the errors of those that cannot be used."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from trove.errors import Invalid
from trove.providers.local.settings import directory_of, local_settings
from trove.settings import Loaded, Settings, load_settings, naming, read_settings
from trove.settings import loading as loading_module
from trove.settings.ini import Entry
from trove.settings.loading import default_state_directory
from trove.settings.naming import target_of
from trove.settings.obsolete import OBSOLETE, OBSOLETE_OF_ENGINES, OBSOLETE_SECTIONS, ROOT
from trove.settings.options import ALIASES, ENGINE_OPTIONS, engine_options, options
from trove.settings.reference import page

SOURCES = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def no_system_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading_module, "SYSTEM_FILE", tmp_path / "etc" / "trove.conf")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(tmp_path: Path, text: str, **environ: str) -> Loaded:
    file = write(tmp_path / "a.conf", text)
    return read_settings([file], environ={"HOME": str(tmp_path)} | environ)


def test_without_anything_there_are_defaults(tmp_path: Path) -> None:
    loaded = read_settings(environ={"HOME": str(tmp_path), "TROVE_STATE_DIRECTORY": "/s"})
    assert loaded.files == ()
    assert loaded.warnings == ()
    assert loaded.settings.state_directory == Path("/s")
    assert loaded.settings.url == "sqlite:////s/trove.sqlite"
    assert directory_of(loaded.settings) == Path("/s/local")
    assert loaded.settings.api == Settings().api


def test_the_state_directory_depends_on_who_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_state_directory({}) == Path("/var/lib/trove")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert default_state_directory({"HOME": "/h"}) == Path("/h/.local/share/trove")
    assert default_state_directory({"XDG_DATA_HOME": "/x"}) == Path("/x/trove")
    assert default_state_directory({}) == Path.home() / ".local/share/trove"


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        """\
[DEFAULT]
bind_port = 9000
trove_api_workers: 3
usage_timeout = 1.5
hostname_require_valid_ip = off
admin_roles = admin,
    cloud_admin ,
state_directory = ~/state
log_file =
default_datastore = "mariadb"
[database]
connection = postgresql://u:pa$$word@h/trove
[api]
auth = keystone
[conductor]
enrolment_seconds = 60
[local]
flavors = 1:small:512:1, 2:large:1024:2
[keystone_authtoken]
auth_url = http://k/v3
password = p = q
[mysql]
ignore_dbs = monitor
""",
    )
    assert settings.warnings == ()
    found = settings.settings
    assert (found.api.bind_port, found.api.workers, found.api.auth) == (9000, 3, "keystone")
    assert found.api.admin_roles == ("admin", "cloud_admin")
    assert found.api.hostname_require_valid_ip is False
    assert found.timing.usage_timeout == 1.5
    assert found.timing.enrolment_seconds == 60
    assert found.log_file is None
    assert found.default_datastore == "mariadb"
    assert found.state_directory == Path.home() / "state"
    assert found.database_url == "postgresql://u:pa$word@h/trove"
    assert local_settings(found).flavors == ("1:small:512:1", "2:large:1024:2")
    assert found.keystone_authtoken == {"auth_url": "http://k/v3", "password": "p = q"}
    assert found.datastores == {"mysql": {"ignore_dbs": "monitor"}}


def test_options_stand_for_others(tmp_path: Path) -> None:
    text = """\
[DEFAULT]
state_directory = /s
[database]
connection = sqlite:///${state_directory}/x.sqlite
[secrets]
key_file = $state_directory/$unknown
[keystone_authtoken]
auth_url = ${database.connection}
"""
    found = read(tmp_path, text).settings
    assert found.database_url == "sqlite:////s/x.sqlite"
    assert found.secret_key_file == Path("/s/$unknown")
    assert found.keystone_authtoken["auth_url"] == "sqlite:///${state_directory}/x.sqlite"


def test_later_files_win_and_the_environment_over_all(tmp_path: Path) -> None:
    first = write(tmp_path / "first.conf", "[DEFAULT]\nbind_port=1\nbind_host=one\n")
    write(tmp_path / "d" / "20.conf", "[DEFAULT]\nbind_port=20\n")
    write(tmp_path / "d" / "10.conf", "[DEFAULT]\nbind_port=10\nprovider=ten\n")
    write(tmp_path / "d" / "not-read.txt", "[DEFAULT]\nbind_port=30\n")
    loaded = read_settings([str(first)], [tmp_path / "d"], {})
    assert [path.name for path in loaded.files] == ["first.conf", "10.conf", "20.conf"]
    assert (loaded.settings.api.bind_port, loaded.settings.api.bind_host) == (20, "one")
    assert loaded.settings.provider == "ten"
    environ = {
        "TROVE_DEFAULT_BIND_PORT": "40",
        "TROVE_KEYSTONE_AUTHTOKEN_AUTH_URL": "http://k",
        "TROVE_MARIADB_IGNORE_USERS": "monitor",
        "TROVE_SOMETHING_ELSE": "is not ours",
        # Of the `trove` command.
        "TROVE_DATABASE_SERVICE_NAME": "trove",
    }
    loaded = read_settings([first], [], environ)
    assert loaded.settings.api.bind_port == 40
    assert loaded.settings.keystone_authtoken == {"auth_url": "http://k"}
    assert loaded.settings.datastores == {"mariadb": {"ignore_users": "monitor"}}
    assert loaded.warnings == ()


def test_the_default_files_are_read_when_none_is_given(tmp_path: Path) -> None:
    write(tmp_path / "etc/trove.conf", "[DEFAULT]\nbind_port=1\nprovider=p\n")
    write(tmp_path / ".config/trove/trove.conf", "[DEFAULT]\nbind_port=2\n")
    loaded = read_settings(environ={"HOME": str(tmp_path)})
    assert (loaded.settings.api.bind_port, loaded.settings.provider) == (2, "p")
    assert len(loaded.files) == 2


def test_a_file_for_keystone_means_keystone(tmp_path: Path) -> None:
    section = "[keystone_authtoken]\nauth_url = http://k/v3\n"
    assert read(tmp_path, section).settings.api.auth == "keystone"
    assert read(tmp_path, f"{section}[api]\nauth = builtin\n").settings.api.auth == "builtin"
    assert read(tmp_path, "").settings.api.auth == "builtin"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[DEFAULT]\nbind_port = x", "[DEFAULT] bind_port = 'x': must be a whole number"),
        ("[DEFAULT]\nbind_port = 0", "[DEFAULT] bind_port = '0': must be between 1 and 65535"),
        ("[DEFAULT]\nusage_timeout =", "usage_timeout = '': must be a number"),
        ("[DEFAULT]\ndebug = maybe", "[DEFAULT] debug = 'maybe': must be true or false"),
        ("[api]\nauth = none", "[api] auth = 'none': must be one of builtin, keystone"),
        ("[DEFAULT]\nhttp_post_rate = 0", "http_post_rate = '0': must be between 1 and"),
        ("[DEFAULT]\nusage_timeout = nan", "usage_timeout = 'nan': must be between 0.1 and"),
        ("[DEFAULT]\nagent_heartbeat_time = -1", "'-1': must be between 0.1 and"),
        ("[DEFAULT]\nmax_ram_per_tenant = -2", "'-2': must be between -1 and"),
        ("[taskmanager]\nmetrics_port = 70000", "metrics_port = '70000': must be between"),
    ],
)
def test_an_error_names_the_place_of_a_wrong_value(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(Invalid) as error:
        read(tmp_path, text)
    assert str(tmp_path / "a.conf") in error.value.message
    assert message in error.value.message


@pytest.mark.parametrize("variable", ["TROVE_DATABASE_PASSWORD", "TROVE_DATABASE_SERVICE_NAME"])
def test_variables_of_the_clients_are_no_settings(tmp_path: Path, variable: str) -> None:
    assert read(tmp_path, "", **{variable: "hush"}).warnings == ()
    (warning,) = read(tmp_path, "", TROVE_DATABASE_PASSWORT="hush").warnings
    assert "TROVE_DATABASE_PASSWORT is not known" in warning


def test_an_error_names_a_wrong_variable_of_the_environment() -> None:
    with pytest.raises(Invalid, match="^TROVE_DEFAULT_BIND_PORT = 'x': must be a whole number"):
        read_settings(environ={"TROVE_DEFAULT_BIND_PORT": "x", "HOME": "/nowhere"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[DEFAULT]\nbindport = 1", "[DEFAULT] bindport is not known; did you mean bind_port?"),
        ("[DEFAULT]\nqwertzuiop = 1", "[DEFAULT] qwertzuiop is not known"),
        ("[databse]\nconnection = x", "there is no section of this name; did you mean database?"),
        ("[DEFAULT]\nconnection = x", "connection is not known; it belongs into [database]"),
        ("[DEFAULT]\nbackup_use_gzip_compression = 1", "has no effect: backups are always compr"),
        ("[DEFAULT]\ntransport_url = x", "no effect: services share the metadata database"),
        ("[oslo_messaging_notifications]\ndriver = x", "has no effect: services share"),
        ("[database]\nmax_retries = 3", "[database] max_retries has no effect"),
        ("[mysql]\ntcp_port = 3306", "[mysql] tcp_port is not known; did you mean tcp_ports?"),
        ("[DEFAULT]\nsql_connection = sqlite://", "is now [database] connection"),
        ("[DEFAULT]\nmax_instances_per_user = 3", "is now [DEFAULT] max_instances_per_tenant"),
    ],
)
def test_a_doubtful_line_is_warned_of(tmp_path: Path, text: str, message: str) -> None:
    (warning,) = read(tmp_path, text).warnings
    assert warning.startswith(f"{tmp_path}/a.conf: [")
    assert message in warning


def older_options() -> list[tuple[str, str]]:
    """Section and name of every option that files of existing installations have."""
    section, found = "", []
    for line in (Path(__file__).with_name("older_options.txt")).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        else:
            found += [(section, name) for name in line.split()]
    return found


def test_the_list_of_older_options_is_whole() -> None:
    found = older_options()
    assert len(found) == len(set(found)) > 300
    assert len({section for section, _ in found}) == 16


@pytest.mark.parametrize(("section", "name"), older_options())
def test_an_older_option_works_or_is_said_to_have_no_effect(section: str, name: str) -> None:
    """None is unknown, and none is taken in silence."""
    target = target_of(Entry("a.conf", section, name, "1"))
    place = f"a.conf: [{section}] {name}"
    if target.path:
        # Works: under this name, or under a newer one that the warning names.
        works = (section, name) in options() or section == "keystone_authtoken"
        works = works or name in ENGINE_OPTIONS
        is_older = (target.warning or "").startswith(f"{place} is now [")
        assert works if target.warning is None else is_older
    else:
        assert (target.warning or "").startswith(f"{place} has no effect: ")


def test_what_has_no_effect_in_a_datastores_section_is_not_handed_on(tmp_path: Path) -> None:
    text = "[mysql]\nroot_on_create = true\nignore_users = monitor\n"
    loaded = read(tmp_path, text)
    assert loaded.settings.datastores == {"mysql": {"ignore_users": "monitor"}}
    (warning,) = loaded.warnings
    assert warning.endswith("[mysql] root_on_create has no effect: " + ROOT)


def test_the_section_of_an_installed_package_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may give any name a meaning, also for an engine that is well known."""
    monkeypatch.setattr(naming, "_installed_engines", lambda: frozenset({"cassandra"}))
    loaded = read(tmp_path, "[cassandra]\ntcp_ports = 7000\nnew_option = 1\n")
    assert loaded.warnings == ()
    assert loaded.settings.datastores == {"cassandra": {"tcp_ports": "7000", "new_option": "1"}}


def test_a_name_that_no_section_of_an_engine_has_is_not_handed_on(tmp_path: Path) -> None:
    loaded = read(tmp_path, "[postgresql]\nwork_mem = 4MB\nignore_dbs = monitor\n")
    assert loaded.settings.datastores == {"postgresql": {"ignore_dbs": "monitor"}}
    assert "[postgresql] work_mem is not known" in loaded.warnings[0]


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ({}, {}),
        ({"ignore_dbs": "a", "ignore_users": "b"}, {}),
        ({"max-item-size": "8m", "ignore_dbs": "a"}, {"max-item-size": "8m"}),
    ],
)
def test_engines_are_set_to_what_their_section_has(
    section: dict[str, str], options: dict[str, str]
) -> None:
    settings = Settings(datastores={"memcached": section, "other": {"x": "1"}})
    assert engine_options(settings, "memcached") == options
    assert engine_options(settings, "missing") == {}


def test_what_has_no_effect_is_on_the_page_for_operators() -> None:
    text = page()
    for name in (*OBSOLETE, *OBSOLETE_OF_ENGINES, *OBSOLETE_SECTIONS):
        assert f"| `{name}`" in text or f"| `[{name}]`" in text


def test_no_option_that_works_is_said_to_have_no_effect() -> None:
    working = {name for section, name in options() if section == "DEFAULT"}
    assert not working & set(OBSOLETE)
    assert not set(ENGINE_OPTIONS) & set(OBSOLETE_OF_ENGINES)


def test_older_names_still_work(tmp_path: Path) -> None:
    text = "[DEFAULT]\nsql_connection = sqlite://\nmax_instances_per_user = 3\n"
    settings = read(tmp_path, text).settings
    assert settings.url == "sqlite://"
    assert settings.limits.max_instances_per_tenant == 3
    assert set(ALIASES.values()) <= set(options())


def test_warnings_go_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write(tmp_path / "a.conf", "[DEFAULT]\nverbose = true\n")
    with caplog.at_level(logging.WARNING):
        settings = load_settings([file], environ={})
    assert settings.debug is False
    assert "verbose has no effect: use `debug`" in caplog.text


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="--config-file: cannot read .*missing.conf"):
        read_settings([tmp_path / "missing.conf"], environ={})
    with pytest.raises(Invalid, match="--config-dir: .*there is no such directory"):
        read_settings([], [tmp_path / "missing"], environ={})
    with pytest.raises(Invalid, match="is not an INI file: .*line: 1"):
        read(tmp_path, "no section\n")
    (tmp_path / "b.conf").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="cannot read"):
        read_settings([tmp_path / "b.conf"], environ={})


OPERATORS_NAMES = """
bind_host bind_port trove_api_workers http_get_rate http_post_rate http_put_rate http_delete_rate
http_mgmt_post_rate admin_roles public_endpoint instances_page_size
databases_page_size users_page_size ignore_dbs ignore_users max_instances_per_tenant
max_ram_per_tenant max_volumes_per_tenant max_backups_per_tenant max_accepted_volume_size
default_datastore hostname_require_valid_ip usage_timeout agent_heartbeat_time
agent_heartbeat_expiry agent_call_low_timeout agent_call_high_timeout resize_time_out
os_region_name debug log_file use_syslog"""


def test_operators_names_keep_their_place_and_default(tmp_path: Path) -> None:
    expected = {
        "bind_host": "0.0.0.0",
        "bind_port": 8779,
        "admin_roles": ("admin",),
        "max_instances_per_tenant": 10,
        "max_ram_per_tenant": -1,
        "max_volumes_per_tenant": 40,
        "max_backups_per_tenant": 50,
        "max_accepted_volume_size": 10,
        "http_get_rate": 200,
        "instances_page_size": 100,
        "databases_page_size": 1000,
        "users_page_size": 1000,
        "usage_timeout": 1800,
        "agent_heartbeat_time": 10,
        "agent_heartbeat_expiry": 90,
        "agent_call_low_timeout": 15,
        "agent_call_high_timeout": 180,
        "hostname_require_valid_ip": True,
    }
    known = {name: option for (section, name), option in options().items() if section == "DEFAULT"}
    assert set(OPERATORS_NAMES.split()) <= set(known)
    assert {name: known[name].default for name in expected} == expected


def test_the_page_for_operators_is_true() -> None:
    """`make docs` regenerates it."""
    text = page()
    assert (SOURCES / "docs/operators/settings.md").read_text() == text
    for section, name in options():
        assert f"## [{section}]" in text
        assert f"| `{name}` |" in text
