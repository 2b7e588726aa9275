"""Fixtures for all tests: metadata databases on SQLite, PostgreSQL and MariaDB."""

pytest_plugins = ["tests.support.metadata", "tests.support.order"]
