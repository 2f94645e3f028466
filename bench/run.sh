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
  train      a fine-tuning step beside torch: MiniLM on film reviews, bert-base at full length (--which, --limits, --precision)
  quality    accuracy after fine-tuning beside torch, three seeds each
  latency    one short text: in process and as a whole process
  memory     plimsoll alone: speed and peak under limits from the floor up
  large      bert-large with random weights, 64 MiB against no limit (--cold drops the page cache first, --cold --container: in a container)
  linear     ten times the texts: time and peak
  plan       how long planning takes
  bend       a job that is asked to go on with less: speed afterwards, and how fast memory is back
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

fetch_reviews() {
    reviews=.cache/demo/reviews
    [ -e "$reviews/test.csv" ] || python3 -B demo/movies.py "$reviews"
}

one() {
    case $1 in
    train | quality)
        peers
        fetch_model
        fetch_reviews
        shift_name=$1
        shift
        python3 -B "bench/$shift_name.py" --model "$model" --python "$python" --data "$reviews/train.csv" "$@"
        ;;
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
    bend)
        fetch_model
        shift
        python3 -B bench/bend.py --model "$model" "$@"
        ;;
    kernels)
        shift
        ninja -C build bench_kernels bench_kernels_train >/dev/null
        for program in build/tests/device/bench_kernels build/tests/device_train/bench_kernels_train; do
            "$program" "$@"
        done
        ;;
    esac
}

case $what in
embed | train | quality | latency | memory | linear | plan | large | kernels) one "$what" "$@" ;;
all)
    for name in kernels plan latency memory linear embed large train quality; do
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
