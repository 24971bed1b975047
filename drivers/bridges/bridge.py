#!/usr/bin/env python3
"""Reference bridge: synthetic parts over the protocol of docs/bridge-protocol.md. Usage: bridge.py [640x480] [ABC32f] [fps]"""
import json, os, select, struct, sys, time, zlib
import numpy as np

HELLO, FRAME = 1, 2
FORMS = {"Mono8": 1, "RGB8": 2, "C16": 3, "C32f": 4, "ABC32f": 5}
out, _ = os.dup(1), os.dup2(2, 1)  # what an SDK prints must not get between the frames

def send(kind, payload, form=0, size=(0, 0), sequence=0, trigger=0, exposed_ns=0, scale=(1, 1, 1), offset=(0, 0, 0), invalid=None):
    payload = memoryview(payload).cast("B")
    header = struct.pack("<4sHHHHIIIQQQ6d5fII", b"RDRB", 1, 128, kind, form, invalid is not None, *size, sequence, trigger,
                         exposed_ns, *scale, *offset, invalid or 0, 0, 0, 0, 0, len(payload), zlib.crc32(payload))
    for part in (header + struct.pack("<I", zlib.crc32(header)), payload):
        while len(part):
            part = part[os.write(out, part):]

def picture(form, width, height):  # instead of an SDK's: a dome of 20 mm on a plate, half a metre away
    y, x = np.mgrid[-0.06:0.06:height * 1j, -0.08:0.08:width * 1j].astype(np.float32)
    z = (0.5 - np.sqrt(np.maximum(0, 0.0016 - x * x - y * y)) / 2 + 1e-5 * np.random.standard_normal(x.shape)).astype(np.float32)
    if form == "ABC32f": return np.stack([x, y, z], axis=-1), {}
    lateral = dict(scale=(0.16 / max(1, width - 1), 0.12 / max(1, height - 1), 1), offset=(-0.08, -0.06, 0))
    if form == "C32f": return z, lateral
    if form == "C16": return (z / 1e-5).astype(np.uint16), lateral | dict(scale=(*lateral["scale"][:2], 1e-5), invalid=65535)
    grey = np.clip((0.52 - z) * 5000 + np.random.randint(-3, 4, z.shape), 0, 255).astype(np.uint8)
    return (grey if form == "Mono8" else np.stack([grey, grey // 2, 255 - grey], axis=-1)), {}

def main(size="640x480", form="ABC32f", fps="25"):
    width, height = (int(side) for side in size.split("x"))
    pictures = [picture(form, width, height) for _ in range(3)]
    sequence, is_free, due, unread = 0, False, 0.0, b""
    send(HELLO, json.dumps(dict(name="reference bridge 1 (Python)", device="synthetic dome", formats=[form], clock="monotonic")).encode())
    while True:
        wait = max(0.0, due - time.monotonic()) if is_free else None
        triggers = [0] if is_free and wait == 0 else []
        if select.select([0], [], [], wait)[0]:
            read = os.read(0, 4096)
            *lines, unread = (unread + read).split(b"\n")
            commands = [line.decode().split() for line in lines if line.strip()]
            if not read or ["stop"] in commands: return  # the daemon is gone, or asks for it
            is_free = is_free or ["start", "free"] in commands
            triggers += [int(command[1]) for command in commands if command[0] == "trigger"]
        for trigger in triggers:
            exposed_ns, due = time.monotonic_ns(), max(time.monotonic(), due + 1 / float(fps))
            samples, more = pictures[sequence % 3]
            sequence += 1
            send(FRAME, samples, FORMS[form], (width, height), sequence, trigger, exposed_ns, **more)

if __name__ == "__main__":
    main(*sys.argv[1:])
