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


def boot(*args, feed=None, options=(), ports=PORTS, **words):
    """One command to its end, which the guest says and mote sees."""
    words.setdefault("stdin", "1")
    g = Guest(base, orders(*args, **words), ports, options)
    with g:
        g.status = g.run(feed)
        g.text = g.said()
    return g


def sh(script, **more):
    return boot("sh", "-c", script, **more)


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


def main():
    for name in sys.argv[2:] or cases:
        try:
            cases[name]()
        except Exception:
            print(f"not ok - {name}: the test itself failed")
            traceback.print_exc()


main()
