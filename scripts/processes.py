"""Runs several commands side by side until one ends or somebody says stop; then stops them all."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 10.0


def run_together(
    commands: Mapping[str, Sequence[str]],
    *,
    env: Mapping[str, str],
    once_started: Callable[[], Awaitable[None]],
) -> str | None:
    """Returns None when told to stop (Ctrl-C, TERM, HUP), else a sentence saying which command ended by itself.

    Each command leads a process group of its own, so that Ctrl-C reaches this process alone and nobody stays behind.
    `once_started` is awaited beside the commands and cancelled with them.
    """
    return asyncio.run(_run_together(commands, env, once_started))


async def _run_together(
    commands: Mapping[str, Sequence[str]], env: Mapping[str, str], once_started: Callable[[], Awaitable[None]]
) -> str | None:
    told_to_stop = asyncio.Event()
    for number in STOPPING_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    running: dict[str, Process] = {}
    beside = asyncio.ensure_future(once_started())
    try:
        for name, command in commands.items():
            running[name] = await asyncio.create_subprocess_exec(
                *command, env=env, stdin=DEVNULL, start_new_session=True
            )
        ends = {asyncio.create_task(process.wait()): name for name, process in running.items()}
        stop = asyncio.create_task(told_to_stop.wait())
        done, _ = await asyncio.wait([*ends, stop], return_when=asyncio.FIRST_COMPLETED)
        ended = [f"the {ends[task]} ended by itself (status {task.result()})" for task in done if task in ends]
        return None if stop in done else "; ".join(ended)
    finally:
        beside.cancel()
        await asyncio.gather(*(_stop(process) for process in running.values()))


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)
    with suppress(ProcessLookupError):  # whoever is left of its group has had its chance
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
