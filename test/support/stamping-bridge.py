"""A bridge whose frames say when they were exposed: the stamp stands in the pixels, so a test can tell whose frame it is.

Usage: stamping-bridge.py <folder of bridge.py> <pid file>
SIGUSR1: the next answer is garbage. SIGUSR2: the next frame ends in its middle, and so does the bridge.
SIGHUP: the next frame is 400 ms late.
"""
import json, os, random, signal, struct, sys, time

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
import bridge

WIDTH, HEIGHT = 16, 12
FORM, PID_FILE = "ABC32f", sys.argv[2]
mischief = []
for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
    signal.signal(number, lambda seen, _: mischief.append(seen))


def picture(exposed_ns):
    points = [(random.uniform(-0.1, 0.1), random.uniform(-0.1, 0.1), 0.5) for _ in range(WIDTH * HEIGHT)]
    # 20 bits in each of three floats: exact in 24 bits of mantissa, never 0.
    points[:3] = [((1 + (exposed_ns >> shift) % 2**20) / 2**20, 0, 0.5) for shift in (0, 20, 40)]
    return b"".join(struct.pack("<3f", *point) for point in points)


with open(PID_FILE + ".part", "w") as file:
    file.write(str(os.getpid()))
os.rename(PID_FILE + ".part", PID_FILE)
hello = dict(name="stamping bridge", device=FORM, formats=[FORM], clock="monotonic")
bridge.send(bridge.HELLO, json.dumps(hello).encode())
sequence, unread = 0, b""
while read := os.read(0, 4096):
    *lines, unread = (unread + read).split(b"\n")
    for line in lines:
        command = line.decode().split()
        if command == ["stop"]:
            sys.exit(0)
        if command[:1] != ["trigger"]:
            continue
        exposed_ns = time.monotonic_ns()
        sequence += 1
        trick = mischief.pop() if mischief else None
        if trick == signal.SIGUSR1:
            os.write(bridge.out, random.randbytes(5000))
            continue
        if trick == signal.SIGHUP:
            time.sleep(0.4)
        if trick == signal.SIGUSR2:
            os.write(bridge.out, struct.pack("<4sHHHHIIIQQQ", b"RDRB", 1, 128, 2, bridge.FORMS[FORM], 0, WIDTH, HEIGHT, 1, 1, 1))
            sys.exit(1)
        size = (WIDTH, HEIGHT)
        bridge.send(bridge.FRAME, picture(exposed_ns), bridge.FORMS[FORM], size, sequence, int(command[1]), exposed_ns)
