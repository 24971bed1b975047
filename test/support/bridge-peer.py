"""The reference bridge with faults, for tests. Usage: bridge-peer.py <folder> <size> <format> <fps>

<folder>/fault holds the fault of the moment, a word; <folder>/pid is written at the start.
"""

import importlib.util
import os
import pathlib
import signal
import sys
import time
import types

root = pathlib.Path(__file__).resolve().parents[2]
spec = importlib.util.spec_from_file_location("bridge", root / "drivers/bridges/bridge.py")
bridge = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bridge)

folder = pathlib.Path(sys.argv[1])
(folder / "pid").write_text(str(os.getpid()))
send = bridge.send


def fault() -> str:
    try:
        return (folder / "fault").read_text().strip()
    except FileNotFoundError:
        return ""


def write_half(descriptor, part):
    """Of every payload the first half; the header promises the whole."""
    if part[:4] != b"RDRB":
        os.write(descriptor, part[: len(part) // 2])
    else:
        os.write(descriptor, part)
    return len(part)


def faulty_send(kind, payload, form=0, size=(0, 0), sequence=0, trigger=0, exposed_ns=0, **more):
    if kind == bridge.HELLO:
        return send(kind, payload)
    bridge.os.write = os.write
    match fault():
        case "slow":
            time.sleep(1.5)
        case "silent":
            return None
        case "half":
            bridge.os.write = write_half
        case "size":
            payload = payload[: size[1] // 2]
            size = (size[0], size[1] // 2)
        case "garbage":
            os.write(bridge.out, os.urandom(5000))
            return None
        case "repeat":
            sequence = 1
        case "gap":
            sequence += 1000
        case "late":
            trigger -= 1
        case "epoch":
            exposed_ns = 5
        case "printing":
            os.write(bridge.out, b"INFO: exposure set to 20 ms\n")
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            time.sleep(3600)
    return send(kind, payload, form, size, sequence, trigger, exposed_ns, **more)


bridge.send = faulty_send
bridge.os = types.SimpleNamespace(**{name: getattr(os, name) for name in ("dup", "dup2", "read", "write")})
bridge.main(*sys.argv[2:])
