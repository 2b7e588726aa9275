"""The agent that runs beside the engine of one instance.

Read `agent.py` (its threads), `journal.py` (why a task is done once), `engine.py` (what keeps the
engine as it should be), then `tasks.py` (what it can be asked for). It connects to the conductor;
nobody connects to it.
"""
