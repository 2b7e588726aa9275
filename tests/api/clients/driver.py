"""Runs in the clients' own environment: command lines in, [code, output, errors] out."""

import contextlib
import importlib
import io
import json
import sys
from typing import Any

MAINS = {"openstack": "openstackclient.shell", "trove": "troveclient.shell"}


def run(main: Any, words: list[str]) -> list[Any]:
    out, err = io.StringIO(), io.StringIO()
    sys.argv = ["client", *words]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words) if MAIN_TAKES_WORDS else main()
        except SystemExit as ended:
            code = ended.code
    return [code or 0, out.getvalue(), err.getvalue()]


MAIN_TAKES_WORDS = sys.argv[1] == "openstack"
shell = importlib.import_module(MAINS[sys.argv[1]])
for line in sys.stdin:
    print(json.dumps(run(shell.main, json.loads(line))), flush=True)
