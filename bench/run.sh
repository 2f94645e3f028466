#!/bin/sh
# The figures of the README, each one command. Run by ./dev bench, which has built the program.
# PLIMSOLL_BENCH_VENV names a venv with the peers; else one is made in .cache/bench (3 GB, once).
set -eu
cd "$(dirname "$0")/.."
cache=.cache/bench
model=${PLIMSOLL_BENCH_MODEL:-.cache/demo/all-MiniLM-L6-v2}
what=${1:-help}
[ $# = 0 ] || shift

usage() {
    cat <<'TEXT'
usage: ./dev bench NAME [OPTION...]

  embed      MiniLM, 2,000 texts: plimsoll beside torch, ONNX Runtime, OpenVINO (--precision bf16, --n, --rounds)
  latency    one short text: in process and as a whole process
  memory     plimsoll alone: speed and peak under limits from the floor up
  large      bert-large with random weights, 64 MiB against no limit (--cold drops the page cache first)
  linear     ten times the texts: time and peak
  plan       how long planning takes
  kernels    matrix products and the FMA peak of this machine
  all        every one of these

Ratios are medians over interleaved rounds; "others" says how many CPUs other programs took meanwhile.
TEXT
}

fetch_model() {
    [ -e "$model/model.safetensors" ] || demo/demo.sh --fetch
}

peers() {
    venv=${PLIMSOLL_BENCH_VENV:-$cache/venv}
    if [ ! -x "$venv/bin/python" ]; then
        echo "making $venv with the peers (once)" >&2
        mkdir -p "$cache"
        python3 -m venv "$venv"
        "$venv/bin/python" -m pip install -q --disable-pip-version-check -r bench/requirements.txt
    fi
    python=$venv/bin/python
}

one() {
    case $1 in
    embed | latency)
        peers
        fetch_model
        shift_name=$1
        shift
        python3 -B "bench/$shift_name.py" --model "$model" --python "$python" "$@"
        ;;
    memory | linear | plan | large)
        fetch_model
        shift_name=$1
        shift
        python3 -B bench/alone.py "$shift_name" --model "$model" "$@"
        ;;
    kernels)
        shift
        for program in build/bench/bench_kernels build/bench_kernels; do
            [ ! -x "$program" ] || { "$program" "$@"; return; }
        done
        echo "bench: no bench_kernels in build/" >&2
        return 1
        ;;
    esac
}

case $what in
embed | latency | memory | linear | plan | large | kernels) one "$what" "$@" ;;
all)
    for name in kernels plan latency memory linear embed large; do
        printf '\n== %s\n' "$name"
        one "$name"
    done
    printf '\n== embed, bf16\n'
    one embed --precision bf16
    ;;
help | -h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
