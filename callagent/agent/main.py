# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the agent as a program: from the configuration to the last device closed."""

import asyncio
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path

from callagent import __version__
from callagent.agent.agent import Agent
from callagent.agent.encoding import machine_encoders, results_file
from callagent.agent.hardware import find_hardware
from callagent.agent.notify import notify
from callagent.agent.sign_in import identify
from callagent.config import AgentConfig, ConfigError
from callagent.protocol.control import SERVICE_SOCKET_PATH, SOCKET_NAME
from callagent.protocol.errors import CallAgentError

logger = logging.getLogger(__name__)

EXIT_OK, EXIT_FAILED, EXIT_CONFIG = 0, 1, 78


def socket_path(config: AgentConfig) -> Path:
    """The configured socket; else a person's own below $XDG_RUNTIME_DIR, else the service's."""
    if config.control.socket is not None:
        return config.control.socket
    folder = os.environ.get("XDG_RUNTIME_DIR")
    # systemd gives a unit RUNTIME_DIRECTORY and no XDG_RUNTIME_DIR; a person has it the other way round.
    if folder and "RUNTIME_DIRECTORY" not in os.environ:
        return Path(folder) / SOCKET_NAME
    return Path(SERVICE_SOCKET_PATH)


def run_agent(config: AgentConfig) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code. Logging is set up by the caller."""
    _tell_stacks()
    return asyncio.run(_run(config))


def _tell_stacks() -> None:
    """Print every thread's stack: on a crash, on SIGABRT (systemd's watchdog), and when asked by SIGUSR1."""
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)
        faulthandler.register(signal.SIGUSR1, sys.__stderr__, all_threads=True)


async def _run(config: AgentConfig) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    running = asyncio.create_task(_until_stopped(config, stopping), name="agent")
    try:
        return await running
    except (CallAgentError, ConfigError) as error:
        logger.critical("%s", error)
        return EXIT_CONFIG
    except OSError as error:
        logger.critical("cannot start: %s", error)
        return EXIT_FAILED


async def _until_stopped(config: AgentConfig, stopping: asyncio.Event) -> int:
    hardware = await asyncio.to_thread(find_hardware, config)
    identifying = asyncio.create_task(identify(config), name="identify")
    stop = asyncio.create_task(stopping.wait(), name="stop")
    try:
        await asyncio.wait({identifying, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not identifying.done():
            return EXIT_OK
        identity = identifying.result()
        encoders = await asyncio.to_thread(machine_encoders, config, hardware, results_file())
        agent = Agent(config, identity, socket_path(config), hardware=hardware, encoders=encoders)
        try:
            await agent.start()
            notify("READY=1", f"STATUS=user {identity.user_id} at {config.service.url}")
            logger.info("callagent %s runs as %s at %s", __version__, identity.user_id, config.service.url)
            logger.info("hardware profile: %s", hardware.name if hardware else "none")
            await stop
        finally:
            notify("STOPPING=1")
            await agent.close()
    finally:
        for task in (identifying, stop):
            task.cancel()
        await asyncio.gather(identifying, stop, return_exceptions=True)
    return EXIT_OK
