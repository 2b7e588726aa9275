"""The agents' endpoint, apart from the tenants' API.

Read `app.py` (the calls), then `waiting.py` (how thousands of calls are held open), then
`calls.py` (what each call does in the metadata database).
"""

from trove.conductor.app import create_app

__all__ = ["create_app"]
