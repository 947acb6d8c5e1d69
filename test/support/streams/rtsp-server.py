"""A real RTSP server for tests: H.264 at /camera, with a login for camera:secret only. Says its port on stdout.

Arguments: none|basic|digest, key frame distance in frames, B frames, width, height.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

method, distance, between, width, height = sys.argv[1:6]
Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service("0")

launch = (
    f"( videotestsrc is-live=true pattern=ball ! video/x-raw,width={width},height={height},framerate=10/1 "
    f"! x264enc speed-preset=ultrafast key-int-max={distance} bframes={between} rc-lookahead=0 threads=1 "
    "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(launch)
factory.set_shared(True)

if method != "none":
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    if method == "digest":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest("camera", "secret", token)
    else:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("camera", "secret"), token)
    server.set_auth(auth)

server.get_mount_points().add_factory("/camera", factory)
server.attach(None)
print(f"port {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
