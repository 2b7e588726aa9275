"""Runs in the clients' own environment: one session with openstacksdk, told as JSON."""

import json
import os
import sys
import time

import openstack
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token


def connect():
    if sys.argv[1] == "password":
        return openstack.connect(load_yaml_config=False)
    token = Token(os.environ.pop("OS_ENDPOINT"), os.environ.pop("OS_TOKEN"))
    os.environ.pop("OS_AUTH_TYPE")
    return openstack.connection.Connection(session=Session(auth=token))


def main():
    database = connect().database
    told = {}
    flavors = list(database.flavors())
    told["flavors"] = [str(getattr(each, "id", None) or each["str_id"]) for each in flavors]
    told["flavor"] = str(database.get_flavor("2").id)
    # The SDK's own create_instance sends no flavor, for its resource lacks the field.
    body = {
        "name": "sdk",
        "flavorRef": "2",
        "volume": {"size": 1},
        "datastore": {"type": "postgresql", "version": "15"},
        "databases": [{"name": "app"}],
        "users": [{"name": "u", "password": "a-password", "databases": [{"name": "app"}]}],
    }
    told["created"] = database.post("/instances", json={"instance": body}).json()["instance"]
    instance = await_active(database, told["created"]["id"])
    told["active"] = {"id": instance.id, "status": instance.status}
    told["listed"] = [each.name for each in database.instances()]
    told["found"] = database.find_instance("sdk").id
    database.create_database(instance, name="shop")
    told["databases"] = sorted(each.name for each in database.databases(instance))
    database.delete_database("shop", instance)
    told["databases_left"] = [each.name for each in database.databases(instance)]
    database.create_user(instance, name="clerk", password="a-password", databases=[{"name": "app"}])
    told["users"] = sorted(each.name for each in database.users(instance))
    database.delete_user("clerk", instance)
    told["users_left"] = [each.name for each in database.users(instance)]
    told["root_before"] = bool(instance.is_root_enabled(database))
    told["root"] = bool(instance.enable_root_user(database))
    database.delete_instance(instance)
    deadline = time.monotonic() + 60
    while [each.name for each in database.instances()] and time.monotonic() < deadline:
        time.sleep(0.2)
    told["gone"] = [each.name for each in database.instances()]
    print(json.dumps(told))


def await_active(database, instance_id):
    deadline = time.monotonic() + 60
    while (found := database.get_instance(instance_id)).status != "ACTIVE":
        assert time.monotonic() < deadline, found
        time.sleep(0.2)
    return found


main()
