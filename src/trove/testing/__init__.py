"""What authors of datastores and providers need to test theirs; no part of the product uses it.

Read `clock.py`, then `agent.py` (an agent without an engine, over the real protocol) and `calls.py`
(how it reaches a conductor, through a socket or in the same process). `datastores.py` has the
contract of datastores, on real engines that `engines.py` starts; `providers.py` that of providers.
`world/` is a control plane in levels, for tests of what the others are part of.
"""

from trove.testing.agent import FakeAgent, FakeAgents, TaskFailure
from trove.testing.calls import AppCalls, Calls, HttpCalls
from trove.testing.clock import ManualClock

__all__ = [
    "AppCalls",
    "Calls",
    "FakeAgent",
    "FakeAgents",
    "HttpCalls",
    "ManualClock",
    "TaskFailure",
]
