"""Messages over a stream of bytes: framed, bounded, and without a deadlock.

::

    frame   = length:u32 big-endian, then so many bytes of msgpack
    message = [name, field, …]

A length beyond `MAX_FRAME` ends the conversation before anything is set aside for it. Whoever sends
also listens: while a pipe is full, what comes in is taken in, so that a side that reports an error
and a side that still sends never wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
from collections.abc import Callable
from typing import Any, Final

from muse.core import codec
from muse.core.errors import ConnectionLostError
from muse.remotes.protocol import CHUNK_BYTES

# A whole record, or a batch of them, and what stands around it.
MAX_FRAME: Final = CHUNK_BYTES + (64 << 10)
MAX_NAME: Final = 16
# What is gathered before it is written, and what is read at once.
_WRITE_BYTES: Final = 64 << 10
_READ_BYTES: Final = 256 << 10
# So much may wait to be understood while we are busy sending; then it waits in the pipe.
_READ_AHEAD: Final = 2 * MAX_FRAME
_LENGTH: Final = struct.Struct(">I")
_IDLE_MS: Final = 250
_TAIL_BYTES: Final = 16 << 10

# The name, then the fields; whoever takes one checks them.
Message = list[Any]


class WireError(ValueError):
    """What came is no message, or not one that may stand here; the stream is of no use any more.

    Args:
        reason: What is wrong.
        seen: The first bytes that were not understood, when they may tell who speaks.
    """

    def __init__(self, reason: str, *, seen: bytes = b"") -> None:
        super().__init__(reason)
        self.reason, self.seen = reason, seen


def encode_frame(message: Message) -> bytes:
    """Return a message as it travels.

    Raises:
        WireError: It would be refused for its size: a mistake of ours.
    """
    body = codec.pack(message)
    if len(body) > MAX_FRAME:
        raise WireError(f"a message of {len(body)} bytes is too large to send")
    return _LENGTH.pack(len(body)) + body


class FrameParser:
    """Cuts a stream of bytes into messages, however it arrives."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many bytes came that are no whole message yet, or were not asked for."""
        return len(self._buffer)

    @property
    def is_ready(self) -> bool:
        """Whether `pop` has something to say: a message, or that there is none to come."""
        if len(self._buffer) < _LENGTH.size:
            return False
        (size,) = _LENGTH.unpack_from(self._buffer)
        return bool(size > MAX_FRAME or len(self._buffer) >= _LENGTH.size + size)

    def feed(self, data: bytes) -> None:
        """Take in what arrived."""
        self._buffer += data

    def pop(self) -> Message | None:
        """Return the next message; None while it is not whole.

        Raises:
            WireError: Too large, or no message.
        """
        buffer = self._buffer
        if len(buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(buffer)
        if size > MAX_FRAME:
            raise WireError(f"a frame of {size} bytes", seen=bytes(buffer[:200]))
        end = _LENGTH.size + size
        if len(buffer) < end:
            return None
        body = bytes(buffer[_LENGTH.size : end])
        del buffer[:end]
        try:
            message = codec.unpack(body)
        except codec.CodecError as error:
            raise WireError(f"a frame that does not decode ({error})", seen=body[:200]) from error
        if not isinstance(message, list) or not message or not isinstance(message[0], str):
            raise WireError("a frame that is no message", seen=body[:200])
        if len(message[0]) > MAX_NAME:
            raise WireError("a message with an endless name", seen=body[:200])
        return message


class Channel:
    """Messages over two descriptors, and the words of whoever carries them over a third.

    Args:
        reader: Where the other side's bytes come from.
        writer: Where ours go; never blocks us when it is non-blocking.
        errors: Where the carrier (ssh) says what it has to say; -1 for nowhere.
        idle: Called several times a second while nothing moves; may raise to give up.
        hear: Told each whole line of the carrier.
        needs_answers: Whether there is no point in sending to a side that will say no more.
    """

    def __init__(
        self,
        reader: int,
        writer: int,
        *,
        errors: int = -1,
        idle: Callable[[], None] | None = None,
        hear: Callable[[bytes], None] | None = None,
        needs_answers: bool = False,
    ) -> None:
        self._reader, self._writer, self._errors = reader, writer, errors
        self._idle, self._hear = idle, hear
        self._needs_answers = needs_answers
        self._parser = FrameParser()
        self._out = bytearray()
        self._tail = bytearray()
        self._line = bytearray()
        self._is_over = self._is_deaf = False
        # Whether anything at all was understood.
        self.has_spoken = False
        self.read_bytes = self.written_bytes = 0

    # -- sending ---------------------------------------------------------------------------

    def send(self, *message: object) -> None:
        """Queue a message, and write when there is a batch.

        Raises:
            WireError: It is too large.
        """
        self._out += encode_frame(list(message))
        if len(self._out) >= _WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is queued, taking in what comes meanwhile.

        A reader that went away is no error here: `receive` tells what it said last.
        """
        while self._out and not self._is_deaf:
            if self._is_over and self._needs_answers:
                break
            self._step(want_write=True)
        self._out.clear()

    @property
    def is_deaf(self) -> bool:
        """Whether nobody reads any more what we send."""
        return self._is_deaf

    @property
    def is_answered(self) -> bool:
        """Whether the other side has said something (or left) that `receive` would return."""
        return self._is_deaf or self._is_over or self._parser.is_ready

    # -- receiving -------------------------------------------------------------------------

    def receive(self) -> Message:
        """Return the next message, after writing what is queued.

        Raises:
            ConnectionLostError: The stream ended.
            WireError: What came is no message.
        """
        self.flush()
        while (message := self._parser.pop()) is None:
            if self._is_over:
                raise ConnectionLostError("The connection ended.", hint="Run the command again.")
            self._step(want_write=False)
        self.has_spoken = True
        return message

    def drain_errors(self) -> bytes:
        """Return the last of what the carrier said, waiting for its end."""
        while self._errors >= 0:
            poll = select.poll()
            poll.register(self._errors, select.POLLIN)
            if not poll.poll(1000):
                break
            self._take_errors()
        return bytes(self._tail)

    # -- one step --------------------------------------------------------------------------

    def _step(self, *, want_write: bool) -> None:
        """Wait until something can be done, and do it."""
        poll = select.poll()
        if want_write:
            poll.register(self._writer, select.POLLOUT)
        if not self._is_over and (not want_write or self._parser.pending < _READ_AHEAD):
            poll.register(self._reader, select.POLLIN)
        if self._errors >= 0:
            poll.register(self._errors, select.POLLIN)
        ready = poll.poll(_IDLE_MS if self._idle is not None else None)
        if not ready and self._idle is not None:
            self._idle()
        for fd, _ in ready:
            if fd == self._errors:
                self._take_errors()
            elif fd == self._reader:
                self._take()
            elif fd == self._writer:
                self._put()

    def _take(self) -> None:
        data = self._read(self._reader)
        if data is None:
            return
        if data:
            self.read_bytes += len(data)
            self._parser.feed(data)
        else:
            self._is_over = True

    def _put(self) -> None:
        try:
            done = os.write(self._writer, memoryview(self._out)[:_WRITE_BYTES])
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._is_deaf = True
            return
        self.written_bytes += done
        del self._out[:done]

    def _take_errors(self) -> None:
        data = self._read(self._errors)
        if data is None:
            return
        if not data:
            self._errors = -1
            return
        self._tail += data
        del self._tail[:-_TAIL_BYTES]
        self._line += data
        *lines, rest = self._line.split(b"\n")
        self._line = rest[-_TAIL_BYTES:]
        if self._hear is not None:
            for line in lines:
                self._hear(bytes(line))

    @staticmethod
    def _read(fd: int) -> bytes | None:
        """Read what is there: empty at the end, None when there is nothing yet."""
        with contextlib.suppress(BlockingIOError):
            try:
                return os.read(fd, _READ_BYTES)
            except ConnectionResetError:
                return b""
        return None
