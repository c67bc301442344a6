"""The commands, one file each; `onnxtext.cli` lists them."""
