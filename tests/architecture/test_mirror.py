"""Tests mirror the source: who reads a package finds its tests under the same name."""

from __future__ import annotations

from tests.architecture.measure import ROOT, SOURCE

TIERS = ("unit", "workflows", "contracts", "api", "e2e")
TESTS = ROOT / "tests"


def test_every_package_has_tests_of_its_name() -> None:
    packages = [p.name for p in SOURCE.iterdir() if (p / "__init__.py").exists()]
    named = {
        p.relative_to(TESTS).as_posix() for p in TESTS.rglob("*") if any(p.glob("**/test_*.py"))
    }
    files = {p.name for tier in TIERS for p in (TESTS / tier).rglob("test_*.py")}
    missing = [
        name
        for name in packages
        if not any(f"{tier}/{name}" in named for tier in TIERS)
        and name not in TIERS
        and not files & {f"test_{name}.py", f"test_{name.rstrip('s')}.py"}
    ]
    assert not missing


def test_every_folder_of_unit_tests_mirrors_a_package() -> None:
    folders = [p for p in (TESTS / "unit").rglob("*") if p.is_dir() and p.name != "__pycache__"]
    with_tests = [p.relative_to(TESTS / "unit") for p in folders if any(p.glob("test_*.py"))]
    assert not [str(p) for p in with_tests if not (SOURCE / p).is_dir()]
