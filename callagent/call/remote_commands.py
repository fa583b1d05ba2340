# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands between the devices of a call, such as to open the door: asked on one side, done on the other."""

import asyncio
import logging
import secrets

from callagent.call.checks import known_code
from callagent.call.signalling import SignallingClient
from callagent.protocol.command import ANSWER_TIMEOUT_S, Command, CommandAnswer
from callagent.protocol.errors import CallAgentError, ErrorCode
from callagent.protocol.events import CommandAnswerSignal, CommandSignal
from callagent.protocol.requests import AnswerCommand, Reply, SendCommand

log = logging.getLogger(__name__)


class RemoteCommands:
    """Used on the loop."""

    def __init__(self, client: SignallingClient) -> None:
        self._client = client
        self._waiting: dict[str, asyncio.Future[CommandAnswer]] = {}

    async def ask(self, call_id: str, session_id: str, command: str) -> None:
        """Have it done by the other side's device; returns when it was.

        Raises CallAgentError: what the service or the device answered, SIGNALING_SEND_FAIL when
        neither did in `ANSWER_TIMEOUT_S`. It is never asked twice: it may have been done.
        """
        command_id = secrets.token_hex(16)
        answered: asyncio.Future[CommandAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = answered
        request = SendCommand(
            id=1,
            to=session_id,
            command=Command(call_id=call_id, command_id=command_id, command=command),
        )
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._client.request(request, ANSWER_TIMEOUT_S)
                answer = await answered
        except TimeoutError:
            raise CallAgentError(ErrorCode.SIGNALING_SEND_FAIL, "The other device does not answer") from None
        finally:
            del self._waiting[command_id]
        if answer.code != ErrorCode.OK:
            raise CallAgentError(known_code(answer.code), answer.message)

    def answer(self, asked: CommandSignal, error: CallAgentError | None) -> None:
        """Tell the asking side what came of its command."""
        answer = CommandAnswer(
            call_id=asked.command.call_id,
            command_id=asked.command.command_id,
            code=ErrorCode.OK if error is None else error.code,
            message="" if error is None else error.message[:500],
        )
        self._client.send(AnswerCommand(id=1, to=asked.sender, answer=answer), _told)

    def on_answer(self, signal: CommandAnswerSignal) -> None:
        waiting = self._waiting.get(signal.answer.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(signal.answer)


def _told(reply: Reply) -> None:
    if reply.code != ErrorCode.OK:
        log.info("The answer to a command did not reach the other side: %s [%d]", reply.message, reply.code)
