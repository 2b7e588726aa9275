"""Prints the Debian packages of engines that are not installed: missing_packages.py [NAME...]

By default of every datastore here, those of `examples` included. An engine is installed if Trove
finds its server, and its client is in PATH. What is missing is in the datastores' manifests.
"""

from __future__ import annotations

import pkgutil
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from trove.datastores import datastores
from trove.datastores.base import Manifest
from trove.datastores.discovery import is_installed

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main(names: Sequence[str]) -> int:
    known = {name: each.manifest for name, each in datastores().items()} | manifests_of_examples()
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no datastore is called {unknown[0]}; there are: {', '.join(sorted(known))}")
        return 1
    missing = [known[name] for name in names or sorted(known) if not is_there(known[name])]
    print(*(package for manifest in missing for package in manifest.packages))
    return 0


def is_there(manifest: Manifest) -> bool:
    has_client = not manifest.client or shutil.which(manifest.client) is not None
    return has_client and is_installed(manifest)


def manifests_of_examples() -> dict[str, Manifest]:
    """Of packages that need not be installed."""
    found = {}
    for project in EXAMPLES.glob("*/pyproject.toml"):
        sys.path.append(str(project.parent / "src"))
        entries = tomllib.loads(project.read_text())["project"]["entry-points"]
        for name, place in entries.get("trove.datastores", {}).items():
            found[name] = pkgutil.resolve_name(place).manifest
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
