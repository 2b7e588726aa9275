"""The small HTTP client of the `trove` command: it signs in, finds the service and sends requests.

Start with `session.py`. Law: nothing is imported before a command needs it, because a command
must start fast.
"""
