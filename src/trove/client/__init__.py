"""The small HTTP client of the `trove` command: it signs in, finds the service and asks it.

Read on in `session.py`. Law: nothing here is imported before a command needs it, for a command
must answer at once.
"""
