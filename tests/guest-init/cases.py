# SPDX-License-Identifier: Apache-2.0
"""cases.py: what the guest's init must do. Prints "ok - ..." and "not ok - ..."
lines, for tests/guest-init/run.
usage: cases.py DIR [NAME...], with DIR/base.cpio"""
import os
import signal
import sys
import traceback

from host import *

directory = sys.argv[1]
with open(os.path.join(directory, "base.cpio"), "rb") as f:
    base = f.read()
cases = {}


def case(f):
    cases[f.__name__] = f
    return f


def check(text, ok, guest=None, *seen):
    print(("ok - " if ok else "not ok - ") + text, flush=True)
    if not ok:
        for s in seen:
            print("#  ", repr(s)[:500])
        if guest:
            print("#   messages", guest.messages)
            print("#   stdout", guest.out["stdout"][-300:])
            print("#   stderr", guest.out["stderr"][-300:])
            for line in guest.said().splitlines()[-8:]:
                print("#   console:", line)
    return ok


def boot(*args, feed=None, options=(), ports=PORTS, prefix=(), **words):
    """One command to its end, which the guest says and mote sees."""
    words.setdefault("stdin", "1")
    g = Guest(base, orders(*args, **words), ports, options, prefix)
    with g:
        g.status = g.run(feed)
    return g


def sh(script, **more):
    return boot("sh", "-c", script, **more)


def slow(g, piece, pieces):
    """To the end, with a reader so slow that the command ends before all that
    it has written is through."""
    g.until(lambda: g.has(STARTED))
    waited = time.monotonic() + 1
    g.until(lambda: time.monotonic() > waited, skip=("stdout",))
    g.piece = piece
    for _ in range(pieces):
        g.step(b"")
        time.sleep(0.02)
    g.piece = ALL
    g.until(g.over)


@case
def streams():
    with Guest(base, orders("sh", "-c", "echo out; echo err >&2; exit 7",
                            stdin="1")) as g:
        status = g.run()
        check("stdout and stderr are apart",
              g.out == {"stdout": b"out\n", "stderr": b"err\n"}, g)
        check("READY, STARTED, EXITED with the status",
              [m[:2] for m in g.messages] ==
              [(READY, 0), (STARTED, 0), (EXITED, 7)], g)
        check("the guest ends itself when the host has left", status == 0, g,
              status)


@case
def statuses():
    g = boot("sh", "-c", "kill -9 $$")
    check("a command that dies of a signal", g.last()[:2] == (SIGNALED, 9), g)
    g = boot("nothing-of-this-name", "x")
    check("a command that is not there",
          [m[0] for m in g.messages] == [READY, NOT_FOUND], g)
    g = boot("closed")
    check("a file that is not executable: EACCES",
          g.last()[:2] == (NOT_RUN, 13), g)
    g = boot("lost")
    check("a script whose interpreter is not there: ENOENT, yet found",
          g.last()[:2] == (NOT_RUN, 2), g)
    g = boot("plain", "a b")
    check("a script without #! is the shell's",
          (g.last()[:2], g.out["stdout"]) == ((EXITED, 0), b"script a b\n"), g)


@case
def room():
    """What the command finds around it."""
    g = sh("""pwd; echo "$A|$PATH|$HOME"; id -u; id -g
        echo again >/dev/stderr; ls -a / | tr '\\n' ' '; echo
        grep -c ' /dev/shm tmpfs' /proc/mounts; ls /dev/pts /sys | head -2
        hostname; ulimit -Hn; ip addr show lo | grep -c 127.0.0.1
        grep SigIgn /proc/self/status; grep SigBlk /proc/self/status
        readlink /dev/fd; wc -l </proc/self/mounts""",
           user="1000:1001", workdir="/tmp", env=["A=x=y z", "EMPTY="],
           hostname="box", feed=b"")
    want = ["/tmp", "x=y z|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
            "/sbin:/bin|/home/user", "1000", "1001"]
    got = g.out["stdout"].decode().split("\n")
    check("workdir, environment, user", got[:4] == want, g, got)
    check("/dev/stderr can be opened again by that user",
          g.out["stderr"] == b"again\n", g)
    check("nothing of mote's is left in /", ".mote" not in got[4] and
          "mote-root" not in got[4], g)
    check("/dev/shm, /dev/pts, /dev/fd, hostname, files, lo",
          got[5:11] == ["1", "/dev/pts:", "ptmx", "box", "524288", "1"] and
          got[13] == "/proc/self/fd", g, got)
    check("no signal is ignored or blocked",
          got[11:13] == ["SigIgn:\t" + "0" * 16, "SigBlk:\t" + "0" * 16], g, got)


@case
def binary():
    data = os.urandom(1 << 20)
    g = boot("sh", "-c", "cat; exit 3", feed=data)
    check("1 MiB of binary data there and back", g.out["stdout"] == data and
          g.last()[:2] == (EXITED, 3), g, len(g.out["stdout"]))
    with Guest(base, orders("cat", stdin="1")) as g:
        g.close("stdin")
        g.until(g.over)
        check("a stdin that ended before the guest was there",
              g.last()[:2] == (EXITED, 0), g)
    with Guest(base, orders("cat", stdin="1"), late=("stdin",)) as g:
        g.until(lambda: g.has(STARTED))
        g.open("stdin")
        g.port["stdin"].sendall(b"late")
        g.close("stdin")
        g.until(g.over)
        check("one that is opened late", g.out["stdout"] == b"late", g)


@case
def flow():
    """Each stream has its own pace."""
    with Guest(base, orders("sh", "-c", "head -c 500000 /dev/zero >&2;"
               "head -c 9000000 /dev/zero; exec cat >/dev/null", stdin="1")) as g:
        sent = g.until(lambda: len(g.out["stderr"]) == 500000,
                       b"x" * 3000000, ("stdout",))
        check("stderr flows while stdin and stdout are stuck", not sent and
              len(g.out["stderr"]) == 500000, g)
        g.until(lambda: len(g.out["stdout"]) == 9000000)
        check("stdout flows when it is read", len(g.out["stdout"]) == 9000000, g)
        g.close("stdin")
        g.until(g.over)
        check("... and the command has its end of input",
              g.last()[:2] == (EXITED, 0), g)
    with Guest(base, orders("yes", stdin="1")) as g:
        g.until(lambda: g.out["stdout"])
        g.close("stdout")
        g.until(g.over)
        check("the reader is gone: SIGPIPE", g.last()[:2] == (SIGNALED, 13), g)


@case
def signals():
    with Guest(base, orders("sh", "-c", "trap 'echo term; kill %1; exit 5' TERM;"
               "sleep 1000 & echo ready; wait", stdin="1")) as g:
        g.until(lambda: g.out["stdout"] == b"ready\n")
        g.tell(99, 1)
        g.tell(KILL, 0)
        g.tell(KILL, 65)
        g.tell(KILL, 0xffffffff)
        g.port["control"].sendall(struct.pack("<I", KILL))
        time.sleep(0.2)
        g.port["control"].sendall(struct.pack("<III", 15, 0, 0))
        g.until(g.over)
        check("a signal in two pieces, behind rude ones", g.out["stdout"] ==
              b"ready\nterm\n" and g.last()[:2] == (EXITED, 5), g)
    with Guest(base, orders("sh", "-c", """trap 'wait; exit 6' TERM
        sh -c 'trap "echo child; exit" TERM; echo on; while :; do sleep 0.1; done' &
        wait""", stdin="1")) as g:
        g.until(lambda: g.out["stdout"])
        g.tell(KILL, signal.SIGTERM)
        g.until(g.over)
        check("a signal is for the whole process group", g.out["stdout"] ==
              b"on\nchild\n" and g.last()[:2] == (EXITED, 6), g)


@case
def left_behind():
    g = sh("""unshare -m sh -c 'mkdir /n /n/old; mount -t tmpfs n /n
        mkdir /n/old; cd /n; pivot_root . old && echo pivoted'
        (trap '' HUP; while :; do sleep 1; done) & (exit 4) & echo done; exit 2""")
    check("a daemon that holds stdout does not hold up the end",
          g.out["stdout"].endswith(b"done\n") and g.last()[:2] == (EXITED, 2), g)
    check("the initramfs as a root for those who make containers",
          g.out["stdout"] == b"pivoted\ndone\n", g)
    with Guest(base, orders("sh", "-c",
               "yes >&2 & head -c 5000000 /dev/zero")) as g:
        slow(g, 65536, 16)
        check("... nor does one that goes on writing; nothing is lost",
              len(g.out["stdout"]) == 5000000 and g.last()[:2] == (EXITED, 0), g)


@case
def tty():
    ports = ("control", "stdin", "stdout")
    with Guest(base, orders("sh", "-c", "trap 'stty size' WINCH; tty; stty size;"
               "until read a; do :; done; echo got $a; while read a; do :; done; echo end",
               stdin="1", tty="100x30"), ports) as g:
        def said(text):
            return g.until(lambda: text in g.out["stdout"])
        check("a terminal of the host's size", said(b"/dev/pts/0\r\n30 100\r\n"),
              g)
        g.tell(WINDOW, 80, 24)
        check("... and of its new size", said(b"24 80\r\n"), g)
        g.port["stdin"].sendall(b"hello\n")
        check("it echoes", said(b"hello\r\ngot hello\r\n"), g)
        g.port["stdin"].sendall(b"half a line")
        g.close("stdin")
        check("the end of stdin ends what is typed", said(b"end\r\n"), g)
        g.until(g.over)
        check("... and the command", g.last()[:2] == (EXITED, 0), g)
    with Guest(base, orders("sh", "-c", "echo on; sleep 1000", stdin="1",
                            tty="0x0"), ports) as g:
        g.until(lambda: b"on" in g.out["stdout"])
        g.port["stdin"].sendall(b"\x03")
        g.until(g.over)
        check("Ctrl-C is SIGINT", g.last()[:2] == (SIGNALED, 2), g)
    with Guest(base, orders("sh", "-c", "echo on; sleep 1000", stdin="1",
                            tty="80x24"), ports) as g:
        g.until(lambda: b"on" in g.out["stdout"])
        g.close("stdout")
        g.until(g.over)
        check("a terminal that nobody looks at is hung up",
              g.last()[:2] == (SIGNALED, 1), g)
    # Each line is a message, and the terminal holds those that find no room.
    with Guest(base, orders("seq", "5000", tty="80x24"), ports) as g:
        slow(g, ALL, 0)
        check("the last output of a terminal is not lost",
              g.out["stdout"].endswith(b"\n4999\r\n5000\r\n"), g)


@case
def refused():
    def lost(text, step, errno, file):
        with Guest(base, file) as g:
            g.run()
            check(text, g.last()[:3] == (SETUP_LOST, STEPS.index(step), errno) and
                  not g.has(STARTED), g)
            return g.said()
    said = lost("orders that are not known", "orders", 22,
                orders("true", colour="red"))
    check("... and which", "mote-init: /.mote/orders: colour=red" in said, None,
          said)
    lost("a directory that is not there", "workdir", 2,
         orders("true", workdir="/nowhere"))
    lost("a root that is not there", "root", 2,
         orders("true", root="/dev/vdz", rootfstype="ext4"))


@case
def root():
    """A root device; all that a command finds in it comes from there."""
    image = os.path.join(directory, "root.img")
    if not os.path.exists(image):
        print("skip e2fsprogs no mkfs.ext4")
        return
    g = sh("""grep -c '^/dev/vda / ext4 rw' /proc/mounts
        ls -a / | tr '\\n' ' '; echo; test -c /dev/null && ls /sys | head -1
        mount -t ext4 /dev/vdb '/mnt' && echo kept >/mnt/file && echo kept >/file
        (trap '' TERM HUP; exec sleep 1000 3>/mnt/open) & exit 0""",
           root="/dev/vda", rootfstype=["squashfs", "ext4"],
           options=("--disk", image + ",root", "--disk", image + "2"))
    got = g.out["stdout"].decode().split("\n")
    check("ext4 as the root, types tried in turn", got[0] == "1" and
          g.last()[:2] == (EXITED, 0), g)
    check("with /dev, /proc, /sys, and nothing of the initramfs",
          "mote" not in got[1] and got[2] == "block", g)
    for name in (image, image + "2"):
        clean = subprocess.run(["e2fsck", "-fn", name], capture_output=True)
        head = subprocess.run(["dumpe2fs", "-h", name], capture_output=True)
        kept = subprocess.run(["debugfs", "-R", "cat file", name],
                              capture_output=True)
        check("what was written is there, the file system clean",
              clean.returncode == 0 and b"needs_recovery" not in head.stdout and
              kept.stdout == b"kept\n", g, clean.stdout, kept.stdout)
    g = sh("""grep -c '^/dev/vda / ext4 ro' /proc/mounts; echo x >/file || echo ro
        echo x >/tmp/x && echo x >/run/x && echo writable""",
           root="/dev/vda", options=("--disk", image + ",root,ro"))
    check("read-only, with /tmp and /run to write to",
          g.out["stdout"] == b"1\nro\nwritable\n", g)


def network_of_its_own():
    """A process that keeps a network namespace, and what runs a command there;
    None: it may not be made."""
    keeper = subprocess.Popen(["unshare", "-n", "sleep", "1000"],
                              stderr=subprocess.DEVNULL)
    ours = os.readlink("/proc/self/ns/net")
    while keeper.poll() is None:
        if os.readlink(f"/proc/{keeper.pid}/ns/net") != ours:
            return keeper, ("nsenter", "-t", str(keeper.pid), "-n")
        time.sleep(0.01)
    return None, ()


def serve_dhcp(prefix):
    """busybox's DHCP server on a tap, both in that network."""
    for words in ("tuntap add mote0 mode tap", "addr add 10.77.9.1/24 dev mote0",
                  "link set mote0 up"):
        subprocess.run([*prefix, "ip", *words.split()], check=True)
    conf = os.path.join(directory, "udhcpd.conf")
    with open(conf, "w") as f:
        f.write(f"""start 10.77.9.20\nend 10.77.9.20\ninterface mote0
lease_file {directory}/leases\npidfile {directory}/pid
option subnet 255.255.255.0\noption router 10.77.9.1
option dns 10.77.9.2 10.77.9.3\noption domain lan.net
option mtu 1400\noption lease 8\nmin_lease 1\n""")
    open(os.path.join(directory, "leases"), "w").close()
    return subprocess.Popen([*prefix, os.environ["BUSYBOX"], "udhcpd", "-f", conf],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@case
def dhcp():
    keeper, prefix = network_of_its_own()
    if keeper is None or not os.access("/dev/net/tun", os.W_OK):
        print("skip netns no network namespace, or no /dev/net/tun")
        return
    server = serve_dhcp(prefix)
    g = sh("""ip -4 addr show eth0 | awk '/mtu/ { print $5 } /inet/ { print $2 }'
        ip route | awk '/default/ { print $3 }'; cat /etc/resolv.conf; sleep 5
        ip -4 addr show eth0 | grep -c inet""",
           net="dhcp", options=("--net", "tap=mote0"), prefix=prefix)
    server.terminate()
    keeper.kill()
    said = server.stdout.read()
    check("DHCP on a tap: MTU, address, route, name servers", g.out["stdout"] ==
          b"1400\n10.77.9.20/24\n10.77.9.1\nsearch lan.net\n"
          b"nameserver 10.77.9.2\nnameserver 10.77.9.3\n1\n", g, said)
    check("... and the lease is renewed in time",
          said.count(b"sending ACK") >= 2, g, said)


@case
def network():
    if subprocess.run(["sh", "-c", "command -v passt"],
                      capture_output=True).returncode:
        print("skip passt no passt here")
        return
    g = sh("""ip -4 addr show scope global | grep -c inet
        ip route | grep -c default; grep -c nameserver /etc/resolv.conf""", net="dhcp", options=("--net", "user"))
    check("DHCP with passt: address, route, name server",
          g.out["stdout"].startswith(b"1\n1\n") and
          g.out["stdout"].split(b"\n")[2] != b"0" and
          g.last()[:2] == (EXITED, 0), g)
    g = boot("true", net="dhcp")
    check("no network card", g.last()[:3] ==
          (SETUP_LOST, STEPS.index("net"), 19), g)


def main():
    for name in sys.argv[2:] or cases:
        try:
            cases[name]()
        except Exception:
            print(f"not ok - {name}: the test itself failed")
            traceback.print_exc()


main()
