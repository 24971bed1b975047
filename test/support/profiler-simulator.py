"""A line profiler that sends what the makers' manuals say, a profile at a time.

profiler-simulator.py tcp HOST PORT | serial PATH  ascii|stx|length  SAMPLES PER_SECOND [PER_START]

  ascii   counter and heights in micrometres, separated by commas, CR LF; INVALID where there is no return
  stx     STX, length in words, command 0002, counter (4 bytes), X and Z of each sample, ETX, XOR (big-endian)
  length  length (with itself), type 7, counter, heights in micrometres (little-endian); -32768 is no return

Says "ready" when it can be reached. With PER_START it is silent until it receives "start", and then sends so many profiles
that are counted from 0. Lines on its stdin change what it does: normal, slow, half (of each profile), wide (twice the samples),
lossy (every 500th byte is lost).
"""

import os
import select
import socket
import struct
import sys
import time

kind = sys.argv[1]
where = sys.argv[2:4] if kind == "tcp" else sys.argv[2:3]
rest = sys.argv[2 + len(where) :]
form, samples, per_second = rest[0], int(rest[1]), float(rest[2])
per_start = int(rest[3]) if len(rest) > 3 else None
MOST_UNSENT = 1 << 20


def heights(counter, count):
    # Never the same twice, and every tenth sample has no return.
    return [None if i % 10 == 9 else 10000 + 10 * i + counter % 97 for i in range(count)]


def profile(counter, mode):
    values = heights(counter, 2 * samples if mode == "wide" else samples)
    if form == "ascii":
        columns = [str(counter)] + ["INVALID" if z is None else str(z) for z in values]
        frame = (",".join(columns) + "\r\n").encode()
        return frame[: len(frame) // 2] + b"\r\n" if mode == "half" else frame
    if form == "stx":
        data = struct.pack(">I", counter & 0xFFFFFFFF)
        for i, z in enumerate(values):
            data += struct.pack(">hh", 100 * i, 0x7FFF if z is None else z)
        body = struct.pack(">BH", len(data) // 2, 2) + data
        total = 0
        for byte in body:
            total ^= byte
        frame = b"\x02" + body + b"\x03" + bytes([total])
        return frame[: len(frame) // 2] if mode == "half" else frame
    body = struct.pack("<HI", 7, counter & 0xFFFFFFFF)
    body += b"".join(struct.pack("<h", -32768 if z is None else z) for z in values)
    if mode == "half":
        body = body[: 6 + 2 * (samples // 2)]
    return struct.pack("<I", len(body) + 4) + body


server = None
links = {}  # descriptor: unsent bytes
sockets = {}
if kind == "tcp":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((where[0], int(where[1])))
    server.listen()
else:
    links[os.open(where[0], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)] = bytearray()
print("ready", flush=True)

mode, counter, sent, left = "normal", 0, 0, None if per_start is None else 0
due = time.monotonic()
typed = b""


def drop(link):
    links.pop(link, None)
    known = sockets.pop(link, None)
    if known:
        known.close()


while True:
    wait = max(0.0, due - time.monotonic())
    readable = [0, *links] + ([server] if server else [])
    ready, _, _ = select.select(readable, [], [], wait)
    for source in ready:
        if source is server:
            client, _ = server.accept()
            client.setblocking(False)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets[client.fileno()] = client
            links[client.fileno()] = bytearray()
            continue
        try:
            said = os.read(source, 4096)
        except BlockingIOError:
            continue
        except OSError:
            said = b""
        if source == 0:
            if not said:
                sys.exit(0)  # whoever started it is gone
            typed += said
            *lines, typed = typed.split(b"\n")
            for line in lines:
                mode = line.decode()
        elif not said:
            if kind == "serial":
                sys.exit(0)
            drop(source)
        elif per_start is not None and b"start" in said:
            counter, left, due = 0, per_start, time.monotonic()
    now = time.monotonic()
    if now < due:
        continue
    due = max(due + (20 if mode == "slow" else 1) / per_second, now - 0.1)
    if left == 0:
        continue
    frame = profile(counter, mode)
    counter += 1
    left = None if left is None else left - 1
    if mode == "lossy":
        frame = bytes(byte for at, byte in enumerate(frame, sent) if at % 500)
    sent += len(frame)
    for link in list(links):
        unsent = links[link]
        # A device cannot wait for who does not read.
        if len(unsent) < MOST_UNSENT:
            unsent += frame
        try:
            del unsent[: os.write(link, unsent)]
        except BlockingIOError:
            if kind == "serial":
                unsent.clear()
        except OSError:
            drop(link)
