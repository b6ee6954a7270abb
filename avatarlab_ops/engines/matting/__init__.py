"""Footage to alpha: `rvm_onnx`, `rvm` and `selfie`."""
