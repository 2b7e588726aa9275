"""Packages with entry points, as an installer leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest


def install(site: Path, monkeypatch: pytest.MonkeyPatch, group: str, **entries: str) -> None:
    """The metadata of a distribution called `other`, with these entry points, on the path."""
    metadata = site / "other-1.0.dist-info"
    metadata.mkdir(parents=True)
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(site))
