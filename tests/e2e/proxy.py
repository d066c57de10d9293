# SPDX-License-Identifier: ISC
"""A bad road between two gateways: a TCP proxy with seeded delay, stalls and cuts (this needs no netem in the kernel).

TCP repeats what is lost, so a lossy line shows itself as stalls; what is lost for good goes with a cut."""
import asyncio
import random
import socket
import struct
import threading

from harness import friends_up

PIECE = 16384


class Weather:
    """Seconds, and chances for each piece that passes. `cut_every` is the mean life of a connection, 0: for ever."""

    def __init__(self, delay=(0.0, 0.0), stall=0.0, stall_for=(0.0, 0.0), cut_every=0.0):
        self.delay, self.stall, self.stall_for, self.cut_every = delay, stall, stall_for, cut_every


CALM = Weather()


class Roads:
    """All proxies of a test, on one thread with one loop."""

    def __init__(self, seed, weather=CALM):
        self.random, self.weather, self.passed, self.cuts = random.Random(seed), weather, 0, 0
        self.open, self.watching = set(), {}
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def road(self, target, watch=None):
        """The address ("127.0.0.1:port") of a new way to this one. `watch(data, forth)` sees each piece."""
        async def listen():
            async def accept(reader, writer):
                await self.pair(target, reader, writer, watch)
            server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=PIECE)
            return server.sockets[0].getsockname()[1]
        return f"127.0.0.1:{asyncio.run_coroutine_threadsafe(listen(), self.loop).result(10)}"

    async def pair(self, target, reader, writer, watch):
        host, port = target.rsplit(":", 1)
        ends = [writer]
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port), limit=PIECE)
            ends.append(far_writer)
            self.open.add(writer)
            life = self.random.expovariate(1 / self.weather.cut_every) if self.weather.cut_every else None
            ways = [asyncio.ensure_future(self.carry(reader, far_writer, watch, True)),
                    asyncio.ensure_future(self.carry(far_reader, writer, watch, False))]
            _, left = await asyncio.wait(ways, timeout=life, return_when=asyncio.FIRST_COMPLETED)
            self.cuts += len(left) == 2
            for way in left:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass
        finally:
            self.open.discard(writer)
            for end in ends:
                self.cut(end)

    @staticmethod
    def cut(writer):
        """Without the polite end of TCP: what is on its way is gone."""
        if not writer.transport.is_closing():
            linger = struct.pack("ii", 1, 0)
            writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def carry(self, reader, writer, watch, forth):
        pieces = asyncio.Queue(64)

        async def deliver():
            while True:
                due, data = await pieces.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                if data is None:
                    return
                if watch:
                    watch(data, forth)
                self.passed += len(data)
                writer.write(data)
                await writer.drain()
        delivering = asyncio.ensure_future(deliver())
        due = 0
        try:
            data = b"-"
            while data and not delivering.done():
                data = await reader.read(PIECE)
                wait = self.random.uniform(*self.weather.delay)
                if self.random.random() < self.weather.stall:
                    wait += self.random.uniform(*self.weather.stall_for)
                due = max(due, self.loop.time() + wait)  # nothing overtakes in TCP
                await pieces.put((due, data or None))
            await delivering
        finally:
            delivering.cancel()

    def cut_all(self):
        def now():
            for writer in list(self.open):
                self.cut(writer)
                self.cuts += 1
        self.loop.call_soon_threadsafe(now)


def befriend_over(roads, left, right, watch=None):
    """Friends of each other who know only roads to each other. Both listen where they did before."""
    before = [node.do("status")["friends"]["up"] for node in (left, right)]
    for node, other in ((left, right), (right, left)):
        self = other.do("friend.self")
        address = other.do("status")["listening"]["friends"][0]
        node.do("friend.add", text=self["full"], addresses=[roads.road(address, watch)])
    for node, up in zip((left, right), before):
        friends_up(node, up + 1)
