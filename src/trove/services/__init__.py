"""The use cases: each checks, writes, starts a workflow, and returns. Nothing here waits for an
infrastructure, and only `accounts.py` waits, with a deadline, for an agent."""
