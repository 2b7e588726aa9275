"""Runs in the clients' own environment: one session with openstacksdk, reported as JSON.

The test that starts it ends it when it hangs.
"""

import json
import os
import sys
import time
from typing import Any

import openstack
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token


def connect() -> Any:
    if sys.argv[1] == "password":
        return openstack.connect(load_yaml_config=False)
    token = Token(os.environ.pop("OS_ENDPOINT"), os.environ.pop("OS_TOKEN"))
    os.environ.pop("OS_AUTH_TYPE")
    return openstack.connection.Connection(session=Session(auth=token))


def main() -> None:
    database = connect().database
    seen: dict[str, Any] = {}
    flavors = list(database.flavors())
    seen["flavors"] = [str(getattr(each, "id", None) or each["str_id"]) for each in flavors]
    seen["flavor"] = str(database.get_flavor("2").id)
    # The SDK's own create_instance sends no flavor, for its resource lacks the field.
    body = {
        "name": "sdk",
        "flavorRef": "2",
        "volume": {"size": 1},
        "datastore": {"type": "postgresql", "version": "15"},
        "databases": [{"name": "app"}],
        "users": [{"name": "u", "password": "a-password", "databases": [{"name": "app"}]}],
    }
    seen["created"] = database.post("/instances", json={"instance": body}).json()["instance"]
    instance = await_active(database, seen["created"]["id"])
    seen["active"] = {"id": instance.id, "status": instance.status}
    seen["listed"] = [each.name for each in database.instances()]
    seen["found"] = database.find_instance("sdk").id
    database.create_database(instance, name="shop")
    seen["databases"] = sorted(each.name for each in database.databases(instance))
    database.delete_database("shop", instance)
    seen["databases_left"] = [each.name for each in database.databases(instance)]
    database.create_user(instance, name="clerk", password="a-password", databases=[{"name": "app"}])
    seen["users"] = sorted(each.name for each in database.users(instance))
    database.delete_user("clerk", instance)
    seen["users_left"] = [each.name for each in database.users(instance)]
    seen["root_before"] = bool(instance.is_root_enabled(database))
    seen["root"] = bool(instance.enable_root_user(database))
    database.delete_instance(instance)
    while [each.name for each in database.instances()]:
        time.sleep(0.2)
    seen["gone"] = [each.name for each in database.instances()]
    print(json.dumps(seen))


def await_active(database: Any, instance_id: str) -> Any:
    while (found := database.get_instance(instance_id)).status not in {"ACTIVE", "ERROR"}:
        time.sleep(0.2)
    return found


main()
