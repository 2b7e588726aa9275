"""Every subcommand sends the request that the API documents."""

from __future__ import annotations

import base64

import pytest

from tests.support.service import Reply
from trove.cli.trove.commands import AREA_OF, AREAS, of_area

from .conftest import OPERATION, PG

ONE = f"/instances/{PG}"
CREATED = {"id": "n-1", "name": "new", "status": "BUILD"}

SENT = [
    ("restart pg", "POST", f"{ONE}/action", {"restart": {}}),
    ("resize-instance pg big", "POST", f"{ONE}/action", {"resize": {"flavorRef": "3"}}),
    ("resize-volume pg 5", "POST", f"{ONE}/action", {"resize": {"volume": {"size": 5}}}),
    ("reset-status pg", "POST", f"{ONE}/action", {"reset_status": {}}),
    ("promote-to-replica-source pg", "POST", f"{ONE}/action", {"promote_to_replica_source": {}}),
    ("eject-replica-source pg", "POST", f"{ONE}/action", {"eject_replica_source": {}}),
    ("detach-replica pg", "PUT", ONE, {"instance": {"replica_of": None}}),
    ("upgrade pg 16", "PATCH", ONE, {"instance": {"datastore_version": "16"}}),
    ("update pg --name new", "PUT", ONE, {"instance": {"name": "new"}}),
    ("update pg --configuration one", "PUT", ONE, {"instance": {"configuration": "c-1"}}),
    ("update pg --remove_configuration", "PUT", ONE, {"instance": {"configuration": None}}),
    ("update pg --detach-replica-source", "PUT", ONE, {"instance": {"replica_of": None}}),
    (
        "update pg --is-private --allowed-cidr 10.0.0.0/8",
        "PUT",
        ONE,
        {"instance": {"access": {"is_public": False, "allowed_cidrs": ["10.0.0.0/8"]}}},
    ),
    ("delete pg", "DELETE", ONE, None),
    ("delete --force pg", "DELETE", ONE, None),
    ("force-delete pg", "DELETE", ONE, None),
    ("database-create pg app", "POST", f"{ONE}/databases", {"databases": [{"name": "app"}]}),
    (
        "database-create pg app --character_set utf8 --collate c",
        "POST",
        f"{ONE}/databases",
        {"databases": [{"name": "app", "character_set": "utf8", "collate": "c"}]},
    ),
    ("database-delete pg a.b", "DELETE", f"{ONE}/databases/a%2Eb", None),
    (
        "user-create pg u pw --host 10.% --databases a b",
        "POST",
        f"{ONE}/users",
        {
            "users": [
                {
                    "name": "u",
                    "password": "pw",
                    "databases": [{"name": "a"}, {"name": "b"}],
                    "host": "10.%",
                }
            ]
        },
    ),
    (
        "user-create pg u pw --databases a b --databases c",
        "POST",
        f"{ONE}/users",
        {
            "users": [
                {
                    "name": "u",
                    "password": "pw",
                    "databases": [{"name": "a"}, {"name": "b"}, {"name": "c"}],
                }
            ]
        },
    ),
    ("user-delete pg u --host 10.%", "DELETE", f"{ONE}/users/u%4010%2E%25", None),
    ("user-delete pg u --host %", "DELETE", f"{ONE}/users/u", None),
    (
        "user-grant-access pg u a b",
        "PUT",
        f"{ONE}/users/u/databases",
        {"databases": [{"name": "a"}, {"name": "b"}]},
    ),
    ("user-revoke-access pg u a", "DELETE", f"{ONE}/users/u/databases/a", None),
    (
        "user-update-attributes pg u --new_name v --new_host h --new_password pw",
        "PUT",
        f"{ONE}/users/u",
        {"user": {"name": "v", "host": "h", "password": "pw"}},
    ),
    ("root-disable pg", "DELETE", f"{ONE}/root", None),
    (
        "ssl-enable pg ref --mode mtls",
        "POST",
        f"{ONE}/ssl",
        {"ssl": {"enable": True, "container_ref": "ref", "mode": "mtls"}},
    ),
    ("ssl-disable pg", "POST", f"{ONE}/ssl", {"ssl": {"disable": True}}),
    ("ssl-rollback pg", "POST", f"{ONE}/ssl", {"ssl": {"rollback": True}}),
    (
        f"operation-cancel {OPERATION}",
        "POST",
        f"/operations/{OPERATION}/action",
        {"cancel": {}},
    ),
    (
        "quota-update p instances 20",
        "PUT",
        "/mgmt/quotas/p",
        {"quotas": {"instances": 20}},
    ),
    (
        "backup-create pg b --description d --parent one --incremental",
        "POST",
        "/backups",
        {
            "backup": {
                "name": "b",
                "instance": PG,
                "description": "d",
                "parent_id": "b-1",
                "incremental": 1,
            }
        },
    ),
    ("backup-delete one", "DELETE", "/backups/b-1", None),
    (
        "backup-copy far one --region north",
        "POST",
        "/backups",
        {"backup": {"name": "far", "backup": {"id": "b-1", "region": "north"}}},
    ),
    (
        """configuration-create g {"a":1} --datastore mariadb --datastore_version 10""",
        "POST",
        "/configurations",
        {
            "configuration": {
                "name": "g",
                "values": {"a": 1},
                "datastore": {"type": "mariadb", "version": "10"},
            }
        },
    ),
    (
        """configuration-update one {"a":1} --name n --description d""",
        "PUT",
        "/configurations/c-1",
        {"configuration": {"values": {"a": 1}, "name": "n", "description": "d"}},
    ),
    (
        """configuration-patch one {"a":2}""",
        "PATCH",
        "/configurations/c-1",
        {"configuration": {"values": {"a": 2}}},
    ),
    ("configuration-delete one", "DELETE", "/configurations/c-1", None),
    ("configuration-attach pg one", "PUT", ONE, {"instance": {"configuration": "c-1"}}),
    ("configuration-detach pg", "PUT", ONE, {"instance": {"configuration": None}}),
    (
        "cluster-create c mariadb 10 --instance flavor_id=2,volume=1,volume_type=ssd,nic=n "
        "--instance flavor=big,type=member --locality affinity",
        "POST",
        "/clusters",
        {
            "cluster": {
                "name": "c",
                "datastore": {"type": "mariadb", "version": "10"},
                "instances": [
                    {
                        "flavorRef": "2",
                        "volume": {"size": 1, "type": "ssd"},
                        "nics": [{"net-id": "n"}],
                    },
                    {"flavorRef": "3", "type": "member"},
                ],
                "locality": "affinity",
            }
        },
    ),
    (
        "cluster-grow one --instance flavor_id=2",
        "POST",
        "/clusters/c-1",
        {"grow": [{"flavorRef": "2"}]},
    ),
    ("cluster-shrink one pg", "POST", "/clusters/c-1", {"shrink": [{"id": PG}]}),
    ("cluster-upgrade one 11", "POST", "/clusters/c-1", {"upgrade": {"datastore_version": "11"}}),
    ("cluster-reset-status one", "POST", "/clusters/c-1", {"reset-status": {}}),
    ("cluster-delete one", "DELETE", "/clusters/c-1", None),
    ("cluster-force-delete one", "DELETE", "/clusters/c-1", None),
    ("log-show pg slow", "POST", f"{ONE}/log", {"name": "slow"}),
    ("log-enable pg slow", "POST", f"{ONE}/log", {"name": "slow", "enable": 1}),
    (
        "log-disable pg slow --discard",
        "POST",
        f"{ONE}/log",
        {"name": "slow", "disable": 1, "discard": 1},
    ),
    ("log-publish pg slow", "POST", f"{ONE}/log", {"name": "slow", "publish": 1}),
    ("log-discard pg slow", "POST", f"{ONE}/log", {"name": "slow", "discard": 1}),
    ("module-delete one", "DELETE", "/modules/m-1", None),
    ("module-apply pg one", "POST", f"{ONE}/modules", {"modules": [{"id": "m-1"}]}),
    ("module-remove pg one", "DELETE", f"{ONE}/modules/m-1", None),
    (
        "module-reapply one --md5 x --force",
        "PUT",
        "/modules/m-1/instances",
        {"reapply": {"md5": "x", "force": 1}},
    ),
    (
        "module-update one --name n --type ping --hidden",
        "PUT",
        "/modules/m-1",
        {"module": {"name": "n", "module_type": "ping", "visible": 0}},
    ),
    (
        "secgroup-add-rule g 10.0.0.0/8",
        "POST",
        "/security-group-rules",
        {"security_group_rule": {"group_id": "g", "cidr": "10.0.0.0/8"}},
    ),
    ("secgroup-delete-rule r", "DELETE", "/security-group-rules/r", None),
    ("metadata-create pg k v", "POST", f"{ONE}/metadata/k", {"metadata": {"value": "v"}}),
    ("metadata-edit pg k v", "PATCH", f"{ONE}/metadata/k", {"metadata": {"value": "v"}}),
    (
        "metadata-update pg k l v",
        "PUT",
        f"{ONE}/metadata/k",
        {"metadata": {"key": "l", "value": "v"}},
    ),
    ("metadata-delete pg k", "DELETE", f"{ONE}/metadata/k", None),
    (
        "schedule-create pg @daily nightly --incremental",
        "POST",
        "/schedules",
        {"schedule": {"instance": PG, "pattern": "@daily", "name": "nightly", "incremental": 1}},
    ),
    ("schedule-delete one", "DELETE", "/schedules/s-1", None),
]

SHOWN = [
    ("show pg", ONE, {"instance": {"id": PG, "name": "pg", "status": "ACTIVE"}}, "ACTIVE"),
    ("database-list pg", f"{ONE}/databases", {"databases": [{"name": "app"}]}, "app"),
    (
        "user-list pg",
        f"{ONE}/users",
        {"users": [{"name": "u", "host": "%", "databases": [{"name": "a"}, {"name": "b"}]}]},
        "a, b",
    ),
    ("user-show pg u", f"{ONE}/users/u", {"user": {"name": "u", "host": "%"}}, "u"),
    ("user-show-access pg u", f"{ONE}/users/u/databases", {"databases": [{"name": "a"}]}, "a"),
    ("root-show pg", f"{ONE}/root", {"rootEnabled": False}, "False"),
    ("ssl-show pg --include-certificate", f"{ONE}/ssl", {"ssl": {"mode": "builtin"}}, "builtin"),
    (
        "operation-list --instance pg",
        "/operations",
        {"operations": [{"id": "o", "workflow": "instance.create", "state": "running"}]},
        "instance.create",
    ),
    (
        f"operation-show {OPERATION}",
        f"/operations/{OPERATION}",
        {"operation": {"id": OPERATION, "steps": [{"name": "server.boot", "state": "done"}, "x"]}},
        "server.boot (done)",
    ),
    (
        "event-list",
        "/events",
        {"events": [{"kind": "user.create", "payload": {"name": "pg", "users": ["u@%"]}}]},
        "name=pg, users=u@%",
    ),
    (
        "datastore-list",
        "/datastores",
        {
            "datastores": [
                {
                    "id": "d",
                    "name": "mariadb",
                    "versions": [{"id": "v", "name": "10", "version": "10.11"}, {"name": "11"}],
                    "default_version": "v",
                }
            ]
        },
        "10, 11   | 10             ",
    ),
    (
        "datastore-show mariadb",
        "/datastores/mariadb",
        {"datastore": {"id": "d", "versions": [{"id": "v", "name": "10"}], "default_version": "v"}},
        "10 (v)",
    ),
    (
        "datastore-version-list mariadb",
        "/datastores/mariadb/versions",
        {"versions": [{"id": "v", "name": "10", "version": "10.11"}]},
        "10.11",
    ),
    ("datastore-version-show v", "/datastores/versions/v", {"version": {"name": "x"}}, "x"),
    (
        "datastore-version-show 10 --datastore mariadb",
        "/datastores/mariadb/versions/10",
        {"version": {"name": "x"}},
        "x",
    ),
    ("flavor-show 2", "/flavors/2", {"flavor": {"name": "small"}}, "small"),
    (
        "flavor-list --datastore_type m --datastore_version_id v",
        "/datastores/m/versions/v/flavors",
        {"flavors": [{"str_id": "7", "name": "x"}]},
        "7",
    ),
    ("volume-type-list", "/volume-types", {"volume_types": [{"id": "1", "name": "lvm"}]}, "lvm"),
    ("volume-type-show 1", "/volume-types/1", {"volume_type": {"name": "lvm"}}, "lvm"),
    (
        "limit-list",
        "/limits",
        {"limits": [{"verb": "ABSOLUTE", "max_ram": -1}, {"verb": "GET", "value": 200}]},
        "max_ram",
    ),
    (
        "quota-show p",
        "/mgmt/quotas/p",
        {"quotas": [{"resource": "instances", "in_use": 1, "limit": 10, "reserved": 0}]},
        "instances",
    ),
    ("backup-list-instance pg", f"{ONE}/backups", {"backups": [{"name": "b"}]}, "b"),
    ("backup-show one", "/backups/b-1", {"backup": {"name": "b"}}, "b"),
    ("configuration-show one", "/configurations/c-1", {"configuration": {"name": "g"}}, "g"),
    (
        "configuration-instances one",
        "/configurations/c-1/instances",
        {"instances": [{"id": "x", "name": "pg"}]},
        "pg",
    ),
    (
        "configuration-default pg",
        f"{ONE}/configuration",
        {"instance": {"configuration": {"work_mem": "4MB"}}},
        "4MB",
    ),
    (
        "configuration-parameter-list v",
        "/datastores/versions/v/parameters",
        {"configuration-parameters": [{"name": "work_mem"}]},
        "work_mem",
    ),
    (
        "configuration-parameter-show 15 work_mem --datastore postgresql",
        "/datastores/postgresql/versions/15/parameters/work_mem",
        {"name": "work_mem", "type": "integer"},
        "integer",
    ),
    ("cluster-show one", "/clusters/c-1", {"cluster": {"name": "c"}}, "c"),
    (
        "cluster-instances one",
        "/clusters/c-1",
        {"cluster": {"instances": [{"id": "x", "name": "c-member-1"}]}},
        "c-member-1",
    ),
    ("log-list pg", f"{ONE}/log", {"logs": [{"name": "slow"}]}, "slow"),
    ("module-show one", "/modules/m-1", {"module": {"name": "m"}}, "m"),
    ("module-query pg", f"{ONE}/modules", {"modules": [{"name": "m"}]}, "m"),
    ("module-list-instance pg", f"{ONE}/modules", {"modules": [{"name": "m"}]}, "m"),
    ("module-instances one", "/modules/m-1/instances", {"instances": [{"name": "pg"}]}, "pg"),
    ("secgroup-list", "/security-groups", {"security_groups": [{"name": "sg"}]}, "sg"),
    ("secgroup-show g", "/security-groups/g", {"security_group": {"name": "sg"}}, "sg"),
    (
        "secgroup-list-rules g",
        "/security-groups/g",
        {"security_group": {"rules": [{"id": "r", "cidr": "10.0.0.0/8"}]}},
        "10.0.0.0/8",
    ),
    ("metadata-list pg", f"{ONE}/metadata", {"metadata": {"owner": "shop"}}, "shop"),
    ("metadata-show pg owner", f"{ONE}/metadata/owner", {"metadata": {"owner": "shop"}}, "shop"),
    ("schedule-show one", "/schedules/s-1", {"schedule": {"name": "nightly"}}, "nightly"),
    (
        "execution-list one",
        "/schedules/s-1/executions",
        {"executions": [{"id": "e", "state": "SUCCESS"}]},
        "SUCCESS",
    ),
]
"""The command, the route that it asks last, the answer, and what must be on the screen."""


def split(line: str) -> list[str]:
    return line.split(" ")


@pytest.mark.parametrize(("line", "method", "path", "body"), SENT, ids=[row[0] for row in SENT])
def test_it_sends_what_is_documented(service, trove, line, method, path, body):
    created = {key: CREATED for key in ("backup", "cluster", "configuration", "module", "schedule")}
    created["security_group_rule"] = CREATED
    answer = Reply(200, created) if path.count("/") == 1 else Reply(202)
    service.on(method, path, answer)
    service.on("POST", "/clusters/c-1", Reply(202))
    service.on("POST", f"{ONE}/action", Reply(202))
    operation = {"id": OPERATION, "workflow": "instance.create", "subject_id": PG}
    service.give(f"/operations/{OPERATION}", {"operation": operation})

    result = trove(*split(line))

    assert (result.code, result.err.startswith("ERROR")) == (0, False), result.err
    last = service.asked[-1]
    assert (last.method, last.short, last.body) == (method, path, body)


ACCOUNTS = [
    ("user-show {}", "GET", "{}"),
    ("user-delete {}", "DELETE", "{}"),
    ("user-show-access {}", "GET", "{}/databases"),
    ("user-grant-access {} a", "PUT", "{}/databases"),
    ("user-revoke-access {} a", "DELETE", "{}/databases/a"),
    ("user-update-attributes {} --new_name v", "PUT", "{}"),
]


@pytest.mark.parametrize("command", ACCOUNTS, ids=lambda row: row[0])
@pytest.mark.parametrize(
    ("words", "user"),
    [
        ("pg u@h", "u%40h%40%25"),
        ("--host % pg u@h", "u%40h%40%25"),
        ("--host 10.% pg u@h", "u%40h%4010%2E%25"),
        ("pg u@", "u%40%40%25"),
        ("pg u@%", "u%40%25%40%25"),
    ],
)
def test_a_name_with_an_at_is_not_a_name_and_a_host(service, trove, command, words, user):
    """Otherwise it would be done to another user."""
    line, method, path = command
    at = f"{ONE}/users/{path.format(user)}"
    service.on(method, at, Reply(200, {"user": {"name": "u@h"}, "databases": []}))
    result = trove(*line.format(words).split())
    assert result.code == 0, result.err
    assert (service.asked[-1].method, service.asked[-1].short) == (method, at)


@pytest.mark.parametrize(("line", "path", "body", "seen"), SHOWN, ids=[row[0] for row in SHOWN])
def test_it_shows_what_comes_back(service, trove, line, path, body, seen):
    service.give(path, body)
    result = trove(*split(line))
    assert result.code == 0, result.err
    assert service.asked[-1].short == path
    assert f" {seen} " in result.out


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "flavor-list",
        "backup-list",
        "configuration-list",
        "cluster-list",
        "module-list",
        "schedule-list pg",
    ],
)
def test_lists(service, trove, line):
    result = trove(*split(line))
    assert result.code == 0
    assert " one " in result.out or " pg " in result.out or " small " in result.out


def test_a_force_delete_gives_up_first_what_is_going_on(service, trove):
    service.on("POST", f"{ONE}/action", Reply(202))
    service.on("DELETE", ONE, Reply(202))
    trove("force-delete", PG)
    assert service.asked[-2].body == {"reset_status": {"force_delete": True}}


def test_a_force_delete_needs_no_administrator_where_deleting_waits_for_nothing(service, trove):
    service.on("POST", f"{ONE}/action", Reply(403, {"forbidden": {"message": "no"}}))
    service.on("DELETE", ONE, Reply(202))
    assert trove("force-delete", PG).code == 0
    service.on("POST", f"{ONE}/action", Reply(500, {"instanceFault": {"message": "no"}}))
    assert trove("force-delete", PG).err == "ERROR: no (HTTP 500)\n"


def test_a_limit_asks_for_one_page(service, trove):
    page = {"instances": [], "links": [{"rel": "next", "href": "x?marker=7"}]}
    service.give("/instances", page)
    trove("list", "--limit", "3", "--marker", "m", "--include-clustered")
    (asked,) = service.asked
    assert asked.query == {"limit": "3", "marker": "m", "include_clustered": "True"}


def test_modules_are_files(service, trove, tmp_path):
    (tmp_path / "licence").write_bytes(b"\x00key")
    service.on("POST", "/modules", Reply(200, {"module": CREATED}))
    line = "module-create m {} --type ping --auto_apply --description d --datastore pg"
    trove(*split(line.format(tmp_path / "licence")))
    assert service.asked[-1].body["module"] == {
        "name": "m",
        "module_type": "ping",
        "auto_apply": 1,
        "datastore": {"type": "pg"},
        "description": "d",
        "contents": base64.b64encode(b"\x00key").decode(),
    }
    service.on("PUT", "/modules/m-1", Reply(200, {"module": CREATED}))
    trove("module-update", "one", "--file", str(tmp_path / "licence"))
    assert set(service.asked[-1].body["module"]) == {"contents"}


def test_a_file_that_is_not_there_is_named(trove):
    result = trove("module-create", "m", "/nowhere/file", "--type", "ping")
    assert result.err == "ERROR: /nowhere/file can not be read: No such file or directory.\n"


def test_modules_are_retrieved_into_files(service, trove, tmp_path):
    contents = base64.b64encode(b"key").decode()
    module = {"name": "../../m", "type": "ping", "contents": contents}
    service.give(f"{ONE}/modules", {"modules": [module]})
    assert trove("module-retrieve", "pg", "--directory", str(tmp_path)).code == 0
    assert (tmp_path / "m.ping").read_bytes() == b"key"


def test_modules_of_a_cluster_are_those_of_its_members(service, trove):
    service.give("/clusters/c-1", {"cluster": {"instances": [{"id": PG, "name": "member"}]}})
    service.give(f"{ONE}/modules", {"modules": [{"id": "m", "name": "licence", "type": "ping"}]})
    out = trove("cluster-modules", "one").out
    assert "member" in out
    assert "licence" in out


@pytest.mark.parametrize(
    ("log", "message"),
    [({"name": "slow"}, "Nothing of the log"), ({"prefix": "p/", "container": "c"}, "container c")],
)
def test_a_log_is_read_in_the_object_store(service, trove, log, message):
    service.on("POST", f"{ONE}/log", Reply(200, {"log": log}))
    result = trove("log-tail", "pg", "slow")
    assert result.code == 1
    assert message in result.err


def test_a_service_that_can_not_says_so(service, trove):
    refusal = {"notImplemented": {"code": 501, "message": "Logs are not available."}}
    service.on("POST", f"{ONE}/log", Reply(501, refusal))
    result = trove("log-tail", "pg", "slow")
    assert (result.code, result.err) == (1, "ERROR: Logs are not available. (HTTP 501)\n")


@pytest.mark.parametrize("text", ["[1]", "{", "@/nowhere"])
def test_values_that_are_no_object_are_refused(trove, text):
    result = trove("configuration-create", "g", text)
    assert result.code == 2
    assert "not a JSON object" in result.err


def test_values_from_a_file_and_from_the_input(service, trove, tmp_path):
    service.on("PATCH", "/configurations/c-1", Reply(200))
    (tmp_path / "values.json").write_text('{"a": 1}')
    trove("configuration-patch", "one", f"@{tmp_path / 'values.json'}")
    trove("configuration-patch", "one", "-", stdin='{"a": 2}')
    first, second = (each.body for each in service.asked if each.method == "PATCH")
    assert first == {"configuration": {"values": {"a": 1}}}
    assert second == {"configuration": {"values": {"a": 2}}}


@pytest.mark.parametrize("line", ["update pg", "user-update-attributes pg u"])
def test_nothing_to_change_is_an_error(trove, line):
    result = trove(*split(line))
    assert result.code == 1
    assert result.err.startswith("ERROR: There is nothing to change")


@pytest.mark.parametrize("area", AREAS)
def test_the_table_of_contents_is_true(area):
    names = [command.name for command in of_area(area)]
    assert names == AREAS[area].split()


@pytest.mark.parametrize("name", AREA_OF)
def test_every_subcommand_is_exercised_or_listed(name):
    lists = "list create root-enable connect url ca-show operation-watch flavor-list backup-list "
    lists += "configuration-list cluster-list module-list module-create module-retrieve "
    lists += "cluster-modules log-tail log-save schedule-list"
    lines = [row[0] for row in SENT] + [row[0] for row in SHOWN]
    assert name in lists.split() or any(line.split(" ")[0] == name for line in lines)
