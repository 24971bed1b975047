"""Makes radar-edge's bundles: procedural data, two small encoders, export to ONNX. See ../README.md."""

import os

# Read by ONNX Runtime's native library when it loads; without it the library sends telemetry over the network.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
