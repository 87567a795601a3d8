# SPDX-License-Identifier: Apache-2.0
"""host.py: the other side of guest/: what mote's session does, in a few lines.
A guest is a kernel and an initramfs made here; its ports are Unix sockets."""
import os
import select
import socket
import struct
import subprocess
import tempfile
import time

READY, STARTED, EXITED, SIGNALED, NOT_FOUND, NOT_RUN, SETUP_LOST = range(1, 8)
KILL, WINDOW = 1, 2
STEPS = ("none", "orders", "modules", "root", "mounts", "net", "tty", "user",
         "workdir", "ports")
LIMIT = float(os.environ.get("GUEST_INIT_SECONDS", "60"))
ALL = 1 << 20  # what one read takes
PORTS = ("control", "stdin", "stdout", "stderr")


def cpio(entries):
    """A newc archive of (name, mode, content)."""
    out = bytearray()
    for ino, (name, mode, data) in enumerate([*entries, ("TRAILER!!!", 0, b"")]):
        raw = name.encode() + b"\0"
        fields = (ino + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        out += b"070701" + b"".join(b"%08x" % f for f in fields) + raw
        out += bytes(-len(out) % 4) + data
        out += bytes(-len(out) % 4)
    return bytes(out) + bytes(-len(out) % 512)


def orders(*args, **words):
    """The orders' file; a list repeats a word."""
    rows = [b"arg=" + (a if isinstance(a, bytes) else a.encode()) for a in args]
    for word, values in words.items():
        for value in values if isinstance(values, list) else [values]:
            rows.append(f"{word}={value}".encode())
    return b"".join(row + b"\0" for row in rows)


class Guest:
    """One boot. feed: bytes for its stdin, None: a stdin that stays open."""

    def __init__(self, base, text, ports=PORTS, options=(), prefix=(),
                 late=()):
        self.dir = tempfile.TemporaryDirectory()
        self.messages, self.out = [], {"stdout": b"", "stderr": b""}
        self.ended = set()
        files = [(".mote", 0o40755, b""), (".mote/orders", 0o100644, text)]
        initrd = self.path("initrd")
        with open(initrd, "wb") as f:
            f.write(base + cpio(files))
        self.console = open(self.path("console"), "w+b")
        command = [*prefix, os.environ["MOTE"], "run", "--kernel", os.environ["KERNEL"],
                   "--initrd", initrd, "--memory", "256M",
                   "--engine", os.environ.get("MOTE_TEST_ENGINE", "interp"),
                   "--append", "quiet cryptomgr.notests rdinit=/.mote/init "
                   "panic=-1 reboot=k"]
        for port in ports:
            command += ["--port", f"mote.{port}=unix:{self.path(port)}"]
        self.started = time.monotonic()
        self.mote = subprocess.Popen(command + list(options),
                                     stdin=subprocess.DEVNULL,
                                     stdout=self.console, stderr=self.console)
        self.port = {n: self.connect(n) for n in ports if n not in late}
        self.pending, self.piece = b"", ALL

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def connect(self, name):
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.path(name))
                return s
            except OSError:
                s.close()
                if self.mote.poll() is not None or self.overdue():
                    raise RuntimeError("no socket: " + self.said()) from None
                time.sleep(0.01)

    def open(self, name):
        self.port[name] = self.connect(name)

    def overdue(self):
        return time.monotonic() - self.started > LIMIT

    def said(self):
        """The end of what the console and mote have said."""
        if not self.console.closed:
            self.console.seek(0)
            self.text = self.console.read()
        return self.text.decode(errors="replace")[-2000:]

    def tell(self, kind, a=0, b=0):
        self.port["control"].sendall(struct.pack("<IIII", kind, a, b, 0))

    def close(self, name):
        self.port.pop(name).close()

    def hear(self, data):
        self.pending += data
        while len(self.pending) >= 16:
            self.messages.append(struct.unpack("<IIII", self.pending[:16]))
            self.pending = self.pending[16:]

    def step(self, sending, skip=()):
        """Moves what is there; returns what of sending is left."""
        readers = [s for n, s in self.port.items()
                   if n not in self.ended and n not in skip and n != "stdin"]
        writers = [self.port["stdin"]] if sending and "stdin" in self.port else []
        can_read, can_write, _ = select.select(readers, writers, [], 0.2)
        for name, s in list(self.port.items()):
            if s in can_write:
                try:
                    sending = sending[s.send(sending[:65536]):]
                except OSError:
                    sending = b""
            if s in can_read:
                try:
                    data = s.recv(self.piece)
                except OSError:
                    data = b""
                if not data:
                    self.ended.add(name)
                elif name == "control":
                    self.hear(data)
                else:
                    self.out[name] += data
        return sending

    def until(self, what, sending=b"", skip=()):
        """Serves until what() is true; False when it was not in time."""
        while not what():
            if self.overdue() or self.mote.poll() is not None:
                return False
            sending = self.step(sending, skip)
        return not sending

    def last(self):
        return self.messages[-1] if self.messages else (0, 0, 0, 0)

    def over(self):
        return self.last()[0] > STARTED

    def has(self, kind):
        return any(m[0] == kind for m in self.messages)

    def run(self, feed=None):
        """To the end: feed and the end of stdin, then whatever comes."""
        if feed is not None:
            self.until(lambda: self.has(READY))
            while feed and not self.overdue() and not self.over():
                feed = self.step(feed)
            self.close("stdin")
        self.until(self.over)
        return self.finish()

    def finish(self):
        """The host's leave, upon which the guest ends. mote's status."""
        for name in list(self.port):
            self.close(name)
        try:
            self.mote.wait(20)
        except subprocess.TimeoutExpired:
            self.mote.kill()
            self.mote.wait()
        return self.mote.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.mote.kill()
        self.mote.wait()
        self.said()
        self.console.close()
        for s in self.port.values():
            s.close()
        self.dir.cleanup()
