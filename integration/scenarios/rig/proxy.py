"""A TCP proxy on loopback that can be cut, frozen, closed to newcomers and slowed down."""

import selectors
import socket
import struct
import threading
import time


class Proxy:
    """Forwards every connection to 127.0.0.1:target. All switches work at once on connections that exist."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.delay = 0.0        # seconds before each piece is passed on
        self.passed = 0         # bytes from the target to the client, over all connections
        self.limit = None       # freeze when `passed` has reached this many bytes
        self._frozen = threading.Event()
        self._holding = threading.Event()
        self._refusing = False
        self._closed = False
        self._pairs = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self):
        """Nothing passes any more, and nobody is told."""
        self._frozen.set()

    def hold_back_requests(self):
        """What the client sends does not arrive; what the target sends does."""
        self._holding.set()

    def thaw(self):
        self.limit = None
        self._frozen.clear()
        self._holding.clear()

    def refuse(self):
        """Newcomers are turned away; who is connected stays so."""
        self._refusing = True

    def admit(self):
        self._refusing = False

    def cut(self):
        """Every connection is reset, as by a firewall."""
        with self._lock:
            pairs, self._pairs = self._pairs, set()
        for pair in pairs:
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def connections(self):
        with self._lock:
            return len(self._pairs)

    def close(self):
        self._closed = True
        self.listener.close()
        self.thaw()
        self.cut()

    def _accept(self):
        while not self._closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            if self._refusing:
                return
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            server.settimeout(None)
        except OSError:
            client.close()
            return
        finally:
            if self._refusing:
                client.close()
        pair = (client, server)
        with self._lock:
            self._pairs.add(pair)
        back = threading.Thread(target=self._pump, args=(server, client, True), daemon=True)
        back.start()
        self._pump(client, server, False)
        back.join()
        with self._lock:
            self._pairs.discard(pair)
        for end in pair:
            end.close()

    def _pass_on(self, data, source, sink, from_target):
        sink.sendall(data)

    def _pump(self, source, sink, counted):
        selector = selectors.DefaultSelector()
        selector.register(source, selectors.EVENT_READ)
        try:
            while True:
                # Asked with a bound, so that a freeze also holds back what is not read yet.
                if not selector.select(0.2):
                    continue
                if self._frozen.is_set() or (self._holding.is_set() and not counted):
                    time.sleep(0.02)
                    continue
                data = source.recv(65536)
                if not data:
                    break
                if counted:
                    self.passed += len(data)
                    if self.limit is not None and self.passed >= self.limit:
                        self._frozen.set()
                if self.delay:
                    time.sleep(self.delay)
                self._pass_on(data, source, sink, counted)
        except (OSError, ValueError):
            pass
        finally:
            selector.close()
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
