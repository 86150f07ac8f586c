"""An Android device that is none: adb's protocol on loopback, in front of a small file system.

The real adb client talks to it.  It knows one service, the shell (v2).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.android.root import ABIS, foreign_programs, make_root
from tests.android.space import Space

MAX_DATA: Final = 256 * 1024
VERSION: Final = 0x01000001
#: What it tells adb that it can do.  Androids before 7 have no shell_v2.
FEATURES: Final = ("shell_v2", "cmd")

STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)


@dataclass(kw_only=True)
class Stream:
    """One open service."""

    theirs: int
    mine: int
    process: asyncio.subprocess.Process | None = None
    may_write: asyncio.Event = field(default_factory=asyncio.Event)
    incoming: bytes = b""


class LoopbackDevice:
    """Serves one root on a port of 127.0.0.1, in a thread of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        abi: str = "x86_64",
        authorizes: bool = True,
        features: Sequence[str] = FEATURES,
        data_kb: int = 0,
    ) -> None:
        """`folder` must not be there yet."""
        self.abi = ABIS[abi]
        self.root = folder
        self.space = Space(folder, self.abi, data_kb=data_kb)
        self._authorizes = authorizes
        self._features = features
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def serial(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its /data/local/tmp, as this machine sees it."""
        return self.space.inside / "data/local/tmp"

    def left_behind(self) -> set[str]:
        """What edgernn keeps there besides the files that are meant to stay."""
        return {path.name for path in (self.data / "edgernn").iterdir()} - {"files", "packages"}

    def foreign_programs(self) -> list[str]:
        """Programs of another processor that were brought there."""
        return foreign_programs(self.data, self.abi)

    def set_property(self, name: str, value: str) -> None:
        (self.root / "system/properties" / name).write_text(f"{value}\n")

    def __enter__(self) -> LoopbackDevice:
        """Raises CannotBuild."""
        make_root(self.root, self.abi)
        self.space.up()
        self._thread.start()
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self._wait_for(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        self.space.down()

    def cut(self) -> None:
        """Breaks every connection; the next one is welcome."""
        self._loop.call_soon_threadsafe(self._close_connections)

    def unplug(self) -> None:
        """Breaks every connection, and takes no other."""
        self._wait_for(self._refuse())

    def plug_in(self) -> None:
        """At the same port as before, if there was one."""
        self._wait_for(self._serve())

    def _wait_for(self, task: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(task, self._loop).result(10)

    def _close_connections(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
        self._close_connections()

    async def _stop(self) -> None:
        await self._refuse()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.1)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        streams: dict[int, Stream] = {}
        try:
            while True:
                head = await reader.readexactly(24)
                command, a, b, size, _, _ = struct.unpack("<4s5I", head)
                data = await reader.readexactly(size)
                await self._handle(writer, streams, command, a, b, data)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            for stream in streams.values():
                self._hang_up(stream)
            self._writers.discard(writer)
            writer.close()

    async def _handle(
        self,
        writer: asyncio.StreamWriter,
        streams: dict[int, Stream],
        command: bytes,
        a: int,
        b: int,
        data: bytes,
    ) -> None:
        if command == b"CNXN":
            if self._authorizes:
                send(writer, b"CNXN", VERSION, MAX_DATA, self._banner())
            else:  # a token to be signed; no signature is ever good enough
                send(writer, b"AUTH", 1, 0, bytes(20))
        elif command == b"AUTH" and not self._authorizes and a == 2:
            send(writer, b"AUTH", 1, 0, bytes(20))
        elif command == b"OPEN":
            stream = Stream(theirs=a, mine=len(streams) + 1)
            streams[stream.mine] = stream
            name = data.rstrip(b"\0").decode()
            service, _, line = name.partition(":")
            if service.split(",")[:2] != ["shell", "v2"]:
                send(writer, b"CLSE", 0, a)
                return
            send(writer, b"OKAY", stream.mine, a)
            stream.may_write.set()
            task = asyncio.get_running_loop().create_task(self._shell(writer, stream, line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif command == b"OKAY":
            streams[b].may_write.set()
        elif command == b"WRTE":
            await self._input(streams[b], data)
            send(writer, b"OKAY", b, a)
        elif command == b"CLSE" and b in streams:
            self._hang_up(streams[b])

    def _banner(self) -> bytes:
        model = self.abi.properties["ro.product.model"].replace(" ", "_")
        return f"device::ro.product.model={model};features={','.join(self._features)}".encode()

    async def _shell(self, writer: asyncio.StreamWriter, stream: Stream, line: str) -> None:
        stream.process = await asyncio.create_subprocess_exec(
            *self.space.entering(line),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                **self.abi.environment,
            },  # its env is a program of that processor too
            start_new_session=True,
        )
        process = stream.process
        if stream.incoming:
            await self._input(stream, b"")
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(
                self._output(writer, stream, process.stdout, STDOUT),
                self._output(writer, stream, process.stderr, STDERR),
            )
            code = await process.wait()
            await self._write(writer, stream, EXIT, bytes([code if code >= 0 else 128 - code]))
            send(writer, b"CLSE", stream.mine, stream.theirs)

    async def _output(
        self,
        writer: asyncio.StreamWriter,
        stream: Stream,
        source: asyncio.StreamReader | None,
        kind: int,
    ) -> None:
        assert source is not None
        while data := await source.read(32_768):
            await self._write(writer, stream, kind, data)

    async def _write(
        self, writer: asyncio.StreamWriter, stream: Stream, kind: int, data: bytes
    ) -> None:
        """One write in flight: the next waits for its OKAY."""
        while not stream.may_write.is_set():
            await stream.may_write.wait()
        stream.may_write.clear()
        packet = struct.pack("<BI", kind, len(data)) + data
        send(writer, b"WRTE", stream.mine, stream.theirs, packet)

    async def _input(self, stream: Stream, data: bytes) -> None:
        stream.incoming += data
        if stream.process is None or stream.process.stdin is None:
            return
        while len(stream.incoming) >= 5:
            kind, size = struct.unpack_from("<BI", stream.incoming)
            if len(stream.incoming) < 5 + size:
                return
            packet, stream.incoming = stream.incoming[5 : 5 + size], stream.incoming[5 + size :]
            with contextlib.suppress(ConnectionError):
                if kind == STDIN:
                    stream.process.stdin.write(packet)
                    await stream.process.stdin.drain()
                elif kind == CLOSE_STDIN:
                    stream.process.stdin.close()

    def _hang_up(self, stream: Stream) -> None:
        """As adbd does: the command sees the end of its input."""
        if stream.process is not None and stream.process.stdin is not None:
            stream.process.stdin.close()


def send(writer: asyncio.StreamWriter, command: bytes, a: int, b: int, data: bytes = b"") -> None:
    magic = struct.unpack("<I", command)[0] ^ 0xFFFFFFFF
    head = struct.pack("<4s5I", command, a, b, len(data), sum(data) & 0xFFFFFFFF, magic)
    writer.write(head + data)


def kill_server(port: int) -> None:
    """Ends the adb server of the tests, and no other."""
    os.system(f"ANDROID_ADB_SERVER_PORT={port} adb kill-server >/dev/null 2>&1")
