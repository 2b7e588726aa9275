"""The tenants' HTTP API, Trove v1.0 on the wire. Read `app.py`, then `gate.py`, then a route."""
