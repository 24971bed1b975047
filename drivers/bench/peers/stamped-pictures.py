"""Pictures that say when they were made: 48 blocks of 16 x 16 pixels, black or white, are CLOCK_MONOTONIC in microseconds.

Usage: stamped-pictures.py raw|rtsp WIDTH HEIGHT FPS. Prints its port on 127.0.0.1 and serves until its stdin ends:
bare RGB over TCP, or H.264 over RTSP as /stamped (needs python3-gi and GStreamer's RTSP server).
"""
import socket, sys, threading, time

MODE = sys.argv[1]
WIDTH, HEIGHT, FPS = (int(argument) for argument in sys.argv[2:5])
BITS, ACROSS, SIDE = 48, 24, 16
grey = bytes((x * 7 + y * 3) % 160 + 40 for y in range(HEIGHT) for x in range(WIDTH))
GROUND = bytes(channel for value in grey for channel in (value,) * 3)


def picture():
    """RGB bytes of now."""
    pixels = bytearray(GROUND)
    stamp = time.monotonic_ns() // 1000
    for row in range(BITS // ACROSS):
        line = bytearray(ACROSS * SIDE * 3)
        for column in range(ACROSS):
            bit = stamp >> (row * ACROSS + column) & 1
            line[column * SIDE * 3 : (column + 1) * SIDE * 3] = (b"\xeb" if bit else b"\x10") * (SIDE * 3)
        for y in range(row * SIDE, (row + 1) * SIDE):
            pixels[y * WIDTH * 3 : y * WIDTH * 3 + len(line)] = line
    return bytes(pixels)


def serve_raw():
    server = socket.create_server(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)

    def serve(client):
        due = time.monotonic()
        try:
            while True:
                client.sendall(picture())
                due += 1 / FPS
                time.sleep(max(0, due - time.monotonic()))
        except OSError:
            client.close()

    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


def serve_rtsp():
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer

    Gst.init(None)

    def configure(_, media):
        source = media.get_element().get_by_name_recurse_up("stamped")

        def feed():
            begun, due = time.monotonic(), time.monotonic()
            while True:
                buffer = Gst.Buffer.new_wrapped(picture())
                buffer.pts = int((time.monotonic() - begun) * Gst.SECOND)
                buffer.duration = Gst.SECOND // FPS
                if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                    return
                due += 1 / FPS
                time.sleep(max(0, due - time.monotonic()))

        threading.Thread(target=feed, daemon=True).start()

    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(
        f"( appsrc name=stamped is-live=true format=time caps=video/x-raw,format=RGB,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
        " ! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 ! rtph264pay name=pay0 pt=96 )"
    )
    factory.connect("media-configure", configure)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    server.get_mount_points().add_factory("/stamped", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


serve_raw() if MODE == "raw" else serve_rtsp()
