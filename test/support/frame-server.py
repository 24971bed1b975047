"""Frames over TCP for `tcpclientsrc ! gdpdepay`: noise, in packets as GStreamer's gdppay makes them. Prints `port N`.

Commands, one a line on stdin:
  size W H   the frames have this size from now on
  slow S     S seconds between frames, 0 for the usual pace
  half N     N 1: only the first half of each frame's bytes is sent, in a packet that says so; 0: all
Answers each with `done`.
"""

import argparse
import os
import socket
import struct
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("--address", default="127.0.0.1")
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--size", default="640x480")
parser.add_argument("--fps", type=float, default=25)
options = parser.parse_args()
state = {"size": tuple(map(int, options.size.split("x"))), "slow": 0.0, "half": False}


def packet(kind, payload, stamp=2**64 - 1):
    header = struct.pack(">BBBBHIQQQQHQ", 1, 0, 0, 0, kind, len(payload), stamp, *[2**64 - 1] * 3, 0, 2**64 - 1)
    return header.ljust(62, b"\0") + payload


def caps(size):
    text = f"video/x-raw, format=(string)RGB, width=(int){size[0]}, height=(int){size[1]}, framerate=(fraction)25/1"
    return packet(2, text.encode() + b"\0")


START = packet(64 + 10254, b"GstEventStreamStart, stream-id=(string)noise, group-id=(uint)1;\0")
SEGMENT = packet(
    64 + 17934,
    b'GstEventSegment, segment=(GstSegment)"segment, flags=(GstSegmentFlags)GST_SEGMENT_FLAG_NONE, rate=(double)1, '
    b"applied-rate=(double)1, format=(GstFormat)time, base=(guint64)0, offset=(guint64)0, start=(guint64)0, "
    b"stop=(guint64)18446744073709551615, time=(guint64)0, position=(guint64)0, "
    b'duration=(guint64)18446744073709551615;";\0',
)


def serve(client):
    told = None
    began = time.monotonic()
    try:
        client.sendall(START)
        while True:
            width, height = size = state["size"]
            if size != told:
                client.sendall(caps(size) + (SEGMENT if told is None else b""))
            told = size
            pixels = os.urandom(width * height * 3)
            if state["half"]:
                pixels = pixels[: len(pixels) // 2]
            client.sendall(packet(1, pixels, int((time.monotonic() - began) * 1e9)))
            time.sleep(state["slow"] or 1 / options.fps)
    except OSError:
        client.close()


def accept(server):
    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client,), daemon=True).start()


listener = socket.create_server((options.address, options.port))
print("port", listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
for line in sys.stdin:
    words = line.split()
    if words[0] == "size":
        state["size"] = (int(words[1]), int(words[2]))
    elif words[0] == "slow":
        state["slow"] = float(words[1])
    elif words[0] == "half":
        state["half"] = words[1] == "1"
    print("done", flush=True)
