"""An RTSP camera: rtsp://ADDRESS:PORT/cam, H.264. Prints `port N` when it listens.

Commands, one a line on stdin:
  size W H   the picture has this size from the next client on; the present ones are disconnected
  next W H   the same, and the present ones keep theirs
  slow S     S seconds between frames, 0 for the usual pace
  lose N     every Nth packet is lost, beginning in the next key frame; 0 for none
Answers each with `done` as soon as it holds.
"""

import argparse
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--address", default="127.0.0.1")
parser.add_argument("--port", default="0")
parser.add_argument("--size", default="640x480")
parser.add_argument("--fps", type=int, default=25)
options = parser.parse_args()

Gst.init(None)
state = {"size": options.size.split("x"), "slow": 0.0, "lose": 0, "packets": 0, "is armed": False}


def launch_line():
    width, height = state["size"]
    return (
        "( videotestsrc is-live=true pattern=snow "
        f"! video/x-raw,width={width},height={height},framerate={options.fps}/1 "
        "! identity name=pace "
        # A key frame each second, of 20 packets and more.
        f"! x264enc tune=zerolatency speed-preset=ultrafast sliced-threads=false bitrate=4000 key-int-max={options.fps} "
        "! rtph264pay name=pay0 pt=96 )"
    )


def pace(_pad, _info):
    if state["slow"] > 0:
        time.sleep(state["slow"])
    return Gst.PadProbeReturn.OK


def lose_one(_pad, info):
    if state["lose"] == 0:
        return Gst.PadProbeReturn.OK
    if state["is armed"]:
        if info.get_buffer().has_flags(Gst.BufferFlags.DELTA_UNIT):
            return Gst.PadProbeReturn.OK
        # Not one of its parameter sets, which the decoder knows already.
        state.update({"is armed": False, "packets": -6})
        print("done", flush=True)
    state["packets"] += 1
    return Gst.PadProbeReturn.DROP if state["packets"] % state["lose"] == 0 else Gst.PadProbeReturn.OK


def lose_of_list(pad, info):
    if state["lose"] == 0:
        return Gst.PadProbeReturn.OK
    packets = info.get_buffer_list()
    for index in range(packets.length()):
        pad.push(packets.get(index))  # comes by at lose_one
    return Gst.PadProbeReturn.DROP


def configure(_factory, media):
    element = media.get_element()
    element.get_by_name("pace").get_static_pad("src").add_probe(Gst.PadProbeType.BUFFER, pace)
    packets = element.get_by_name("pay0").get_static_pad("src")
    packets.add_probe(Gst.PadProbeType.BUFFER, lose_one)
    packets.add_probe(Gst.PadProbeType.BUFFER_LIST, lose_of_list)


server = GstRtspServer.RTSPServer(address=options.address, service=options.port)
factory = GstRtspServer.RTSPMediaFactory(shared=True, launch=launch_line())
factory.connect("media-configure", configure)
server.get_mount_points().add_factory("/cam", factory)


def command(words):
    if words[0] in ("size", "next"):
        state["size"] = words[1:3]
        factory.set_launch(launch_line())
    if words[0] == "size":
        server.client_filter(lambda _server, _client: GstRtspServer.RTSPFilterResult.REMOVE)
    elif words[0] == "slow":
        state["slow"] = float(words[1])
    elif words[0] == "lose":
        state.update({"lose": int(words[1]), "is armed": words[1] != "0"})
        if state["is armed"]:
            return
    print("done", flush=True)


def listen_to_stdin(loop):
    for line in sys.stdin:
        GLib.idle_add(command, line.split())
    loop.quit()  # whoever started it is gone


if server.attach(None) == 0:
    sys.exit(f"rtsp-server: cannot listen on {options.address}:{options.port}")
print("port", server.get_bound_port(), flush=True)
main_loop = GLib.MainLoop()
threading.Thread(target=listen_to_stdin, args=(main_loop,), daemon=True).start()
main_loop.run()
