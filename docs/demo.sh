#!/bin/sh
# A first look at onnxtext: a model to text, a look at the text, and back to the same bytes.
# Usage: sh docs/demo.sh FOLDER, with `onnxtext` on the PATH; `make demo` does that.
set -eu
folder=$1

say() { printf '\n# %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }

# light_resnet50 comes with the onnx package; most of its weights are made by nodes (ConstantOfShape), so it is small.
data=$(python -c 'import onnx.backend.test as test; print(test.__path__[0])')/data/light
mkdir -p "$folder"
cp "$data/light_resnet50.onnx" "$folder/model.onnx"
cd "$folder"

say "A ResNet-50, an ONNX file, becomes text; its larger weights go into a file beside it."
show onnxtext encode model.onnx -o model.onnxt

say "This is how it begins."
show head -n 6 model.onnxt | cut -c 1-140

say "This is where the network begins; '->' hands the result of a node to the next."
show grep -m 1 -A 18 =.Conv model.onnxt | cut -c 1-140

say "The text becomes an ONNX file again, and that file has the same bytes."
show onnxtext decode model.onnxt -o back.onnx
show cmp model.onnx back.onnx
echo "model.onnx and back.onnx are equal, byte for byte."

say "Passes rewrite the model first: unused parts go, blocks that repeat become functions, runs become chains."
say "Outputs are compared with those of the model as it was."
show onnxtext encode model.onnx --passes prune,dedup,merge --verify-passes end --verify-outputs --stats -o folded.onnxt
show grep -m 2 -A 9 ^def folded.onnxt | cut -c 1-140
show onnxtext decode folded.onnxt -o folded.onnx
show onnxtext encode folded.onnx -o again.onnxt
show cmp folded.onnxt again.onnxt
echo "The text with functions is a model too, and comes back as it was."

say "strip leaves the architecture alone; weights are made up where it is decoded."
show onnxtext encode model.onnx --passes prune,strip,canonicalize,dedup,merge -o architecture.onnxt
show tail -n 22 architecture.onnxt | cut -c 1-140
show onnxtext decode architecture.onnxt --fill random -o runs.onnx
show python -c 'import onnx; onnx.checker.check_model("runs.onnx", full_check=True); print("the checker passes it")'

say "Networks in the order of the accuracy that they can be trained to."
show onnxtext predict model.onnx nasbench-macro:12121212 nasbench-macro:00000000

say "Lengths"
printf '%8d bytes in model.onnx\n' "$(wc -c < model.onnx)"
printf '%8d characters in model.onnxt\n' "$(LC_ALL=C.UTF-8 wc -m < model.onnxt)"
[ ! -f model.onnxt.safetensors ] || printf '%8d bytes in model.onnxt.safetensors\n' "$(wc -c < model.onnxt.safetensors)"
printf '%8d statements in its graph\n' "$(grep '^ [^ -]' model.onnxt | grep -vc '^ each ')"
printf '%8d characters in folded.onnxt\n' "$(LC_ALL=C.UTF-8 wc -m < folded.onnxt)"
printf '%8d characters in architecture.onnxt\n' "$(LC_ALL=C.UTF-8 wc -m < architecture.onnxt)"
printf '\nThe files are in %s: try an editor on model.onnxt, or model.onnx in a viewer.\n' "$folder"
