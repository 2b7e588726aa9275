"""Runs operations: the process that carries out what the API has written down."""
