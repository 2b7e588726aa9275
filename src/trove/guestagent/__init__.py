"""The agent that runs beside the engine of one instance.

Read `agent.py` (its threads), `journal.py` (why a task is done once), `engine.py` (what keeps the
engine as it should be), then `tasks.py` and `accounts.py` (what it can do). It connects to the
conductor; nothing connects to it.
"""
