"""An RTSP server that plays a clip over and over, for tests.

usage: rtsp_server.py CLIP [--codec h264|h265] [--port PORT] [--address HOST] [--shared] [--user NAME --password WORD] [--tls CERT_AND_KEY]

Prints the port, alone on a line, when it listens. /clip is the stream.
"""

import argparse
import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

LAUNCH = (
    "( filesrc location={clip} ! qtdemux ! {codec}parse config-interval=-1 "
    "! rtp{codec}pay name=pay0 pt=96 )"
)
ROLE = "viewer"


class Clip(GstRtspServer.RTSPMediaFactory):
    """Plays the clip; at its end the stream begins again."""

    def __init__(self, clip, codec, shared):
        super().__init__()
        quoted = json.dumps(clip, ensure_ascii=False)
        self.set_launch(LAUNCH.format(clip=quoted, codec=codec))
        self.set_shared(shared)


def protect(server, factory, options):
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    if options.user:
        auth.add_digest(options.user, options.password, token)
        auth.set_supported_methods(2)  # digest
    else:
        auth.set_default_token(token)
    if options.tls:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.tls))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(ROLE, "media.factory.access", True)
    permissions.add_permission_for_role(ROLE, "media.factory.construct", True)
    factory.set_permissions(permissions)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("clip")
    parser.add_argument("--codec", default="h264", choices=("h264", "h265"))
    parser.add_argument("--port", default="0")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--tls")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(options.address)
    server.set_service(options.port)
    factory = Clip(options.clip, options.codec, options.shared)
    if options.user or options.tls:
        protect(server, factory, options)
    server.get_mount_points().add_factory("/clip", factory)
    if server.attach(None) == 0:
        sys.exit("cannot listen on port " + options.port)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
