"""A proxy that knows where Kafka's requests begin, to stop the world at a named point of the protocol.

Frames: https://kafka.apache.org/protocol#protocol_common (size int32; requests: api key int16, version int16, correlation id
int32; responses: correlation id int32).
"""

import struct
import threading

from .proxy import Proxy

END_TXN = 26


class KafkaProxy(Proxy):
    """`at(...)` arms one trap: the first frame that it is for is kept back, and the action is run in its place."""

    def __init__(self, target=0):
        self._trap = None       # (point, api key, how many to let pass, action)
        self._sprung = threading.Event()
        self._rests = {}        # socket: bytes of a frame that is not whole yet
        self._asked = {}        # (client socket, correlation id): api key
        self.seen = []          # api keys of the requests
        super().__init__(target)

    def at(self, point, api_key, action, skip=0):
        """point: "request" (the broker never sees it) or "answer" (the broker did it, and the client is never told)."""
        assert point in ("request", "answer")
        self._sprung.clear()
        self._trap = [point, api_key, skip, action]

    def wait(self, timeout=30):
        assert self._sprung.wait(timeout), "nothing came to the point where the trap was set"

    def _pass_on(self, data, source, sink, from_target):
        rest = self._rests.get(source, b"") + data
        while len(rest) >= 4:
            size = 4 + struct.unpack(">i", rest[:4])[0]
            if len(rest) < size:
                break
            frame, rest = rest[:size], rest[size:]
            if not self._springs(frame, sink if from_target else source, from_target):
                sink.sendall(frame)
        self._rests[source] = rest

    def _springs(self, frame, client, from_target):
        if from_target:
            point, api_key = "answer", self._asked.pop((client, struct.unpack(">i", frame[4:8])[0]), None)
        else:
            point, (api_key, _, correlation) = "request", struct.unpack(">hhi", frame[4:12])
            self._asked[client, correlation] = api_key
            self.seen.append(api_key)
        with self._lock:
            trap = self._trap
            if not trap or trap[:2] != [point, api_key]:
                return False
            if trap[2] > 0:
                trap[2] -= 1
                return False
            self._trap = None
        trap[3]()
        self._sprung.set()
        return True
