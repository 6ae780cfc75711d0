#!/usr/bin/python3
"""What a program that turned bad would try within the service; prints what came of each attempt."""

import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)


def call(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), "refused")


ATTEMPTS = {
    "write code": lambda: open("/opt/framelane/launch.ts", "a").close(),
    "write what Deno compiled": lambda: open("/opt/framelane/.deno/x", "a").close(),
    "write settings": lambda: open("/etc/framelane/x", "a").close(),
    "read passwords": lambda: open("/etc/shadow").close(),
    "trace a process": lambda: call(libc.ptrace(0, 0, 0, 0)),
    "mount": lambda: call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)),
    "make a namespace": lambda: call(libc.unshare(0x10000000)),
    "become root": lambda: os.setgroups([0]),
}

for name, attempt in ATTEMPTS.items():
    # Each in a process of its own: a namespace changes what the next one may do.
    child = os.fork()
    if child == 0:
        try:
            attempt()
        except OSError:
            os._exit(1)
        os._exit(0)
    done = os.waitpid(child, 0)[1] == 0
    print(f"{name}: {'done' if done else 'refused'}", flush=True)
