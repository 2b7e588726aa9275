"""The process of one long task: `python -m trove.guestagent.child DIRECTORY TASK_ID`.

Its standard input is the `TaskRequest`; its result is a file. It needs no agent while it runs.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

import trove.guestagent.tasks  # noqa: F401 - registers the handlers
from trove.datastores.process import message_of
from trove.errors import TroveError
from trove.guestagent.attempt import Attempt
from trove.guestagent.files import write_json
from trove.guestagent.guest import LongGuest
from trove.guestagent.handlers import error_kind_of, handler_of, typed
from trove.guestagent.long_task import LongTask
from trove.guestagent.state import AgentDirectory
from trove.locks import lock_for_life
from trove.protocol import ErrorKind, TaskProgress, TaskRequest, TaskResult

log = logging.getLogger(__name__)


def main(directory: str, task_id: str) -> int:
    """Do the task unless another process does it, or has done it; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    task = LongTask(AgentDirectory(Path(directory)), task_id)
    with suppress(BlockingIOError):
        lock_for_life(task.lock)
        # Only under the lock: an agent that found no process may have started a second one.
        request = msgspec.json.decode(sys.stdin.buffer.read(), type=TaskRequest)
        if task.result() is None:
            write_json(task.result_file, run(task, request))
    return 0


def run(task: LongTask, request: TaskRequest) -> TaskResult:
    """Call the task's handler."""

    def report(progress: float, note: str) -> None:
        write_json(task.progress_file, TaskProgress(task.id, progress, note), durable=False)

    is_repeated = task.progress() is not None
    report(0.0, "started")
    try:
        handler = handler_of(request.kind)
        guest = LongGuest(task.directory)
        found = handler.do(guest, typed(handler, request.args), Attempt(is_repeated, (), report))
    except TroveError as error:
        return TaskResult(task.id, None, str(error), error_kind_of(error))
    except Exception as error:
        log.exception("task %s %s failed unexpectedly", request.id, request.kind)
        text = f"{type(error).__name__}: {message_of(error)}"
        return TaskResult(task.id, None, text, ErrorKind.FAILED)
    return TaskResult(task.id, dict(msgspec.to_builtins(found)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
