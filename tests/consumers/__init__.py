"""Runs exported files in runtimes of other people: OpenVINO, OpenCV, onnxruntime-web and more."""
