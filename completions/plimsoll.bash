# bash completion of plimsoll; made by plimsoll-doc
_plimsoll() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" = 1 ]; then
        words="plan tokenize embed classify train explain watch devices shrink pull help --help --version"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        return
    fi
    [ "$before" = = ] && before=${COMP_WORDS[COMP_CWORD-2]} # readline parts --option=value
    [ "$word" = = ] && word=
    case $before in
    -i|--input) compopt -o default; return ;;
    --input-format) words="txt jsonl csv tsv" ;;
    -t|--text) return ;;
    --text-pair) return ;;
    --text-column) return ;;
    --text-pair-column) return ;;
    --label-column) return ;;
    --skip) return ;;
    --data) compopt -o default; return ;;
    --eval) compopt -o default; return ;;
    -o|--output) compopt -o default; return ;;
    --format) words="jsonl npy" ;;
    --pooling) words="mean cls max last" ;;
    --top) return ;;
    --memory) return ;;
    --device) return ;;
    --device-memory) return ;;
    --precision) words="f32 bf16 f16 auto" ;;
    --threads) return ;;
    --max-length) return ;;
    --plan) compopt -o default; return ;;
    --task) words="auto embed classify" ;;
    --svg) compopt -o default; return ;;
    --for) words="pytorch" ;;
    --attention) words="sdpa eager" ;;
    --epochs) return ;;
    --max-steps) return ;;
    --batch) return ;;
    --lr) return ;;
    --schedule) words="linear cosine constant constant_with_warmup" ;;
    --warmup-steps) return ;;
    --warmup-ratio) return ;;
    --optimizer) words="adamw adafactor adamw8bit sgd" ;;
    --weight-decay) return ;;
    --max-grad-norm) return ;;
    --label-smoothing) return ;;
    --dropout) return ;;
    --shuffle) words="epoch none" ;;
    --seed) return ;;
    --log-every) return ;;
    --save-every) return ;;
    --keep) return ;;
    --tune) return ;;
    --shards) return ;;
    --spill) compopt -o default; return ;;
    --metric) return ;;
    --early-stopping) return ;;
    --model) compopt -o default; return ;;
    --pid) return ;;
    --interval) return ;;
    --alert) return ;;
    --exec) return ;;
    --stats) compopt -o default; return ;;
    --progress) words="auto always never" ;;
    --color) words="auto always never" ;;
    esac
    if [ -z "$words" ]; then
        case $verb in
        plan) words=" -i --input --input-format -t --text --text-pair --text-column --text-pair-column --label-column --skip --data --eval -o --output --format --pooling --normalize --no-normalize --logits --top --memory --device --device-memory --precision --threads --max-length --train --task --program --svg --for --attention --checkpointing --epochs --max-steps --batch --lr --schedule --warmup-steps --warmup-ratio --optimizer --weight-decay --max-grad-norm --label-smoothing --dropout --shuffle --seed --log-every --save-every --keep --resume --overwrite --tune --shards --spill --best --metric --early-stopping --dry-run --json --stats --progress -q --quiet -v --verbose --color -h --help" ;;
        tokenize) words=" -i --input --input-format -t --text --text-pair --text-column --text-pair-column --skip -o --output --tokens --offsets --max-length --progress -q --quiet -v --verbose --color -h --help" ;;
        embed) words=" -i --input --input-format -t --text --text-pair --text-column --text-pair-column --skip -o --output --format --pooling --normalize --no-normalize --memory --device --device-memory --precision --threads --max-length --plan --stats --progress -q --quiet -v --verbose --color -h --help" ;;
        classify) words=" -i --input --input-format -t --text --text-pair --text-column --text-pair-column --label-column --skip -o --output --logits --top --memory --device --device-memory --precision --threads --max-length --plan --stats --progress -q --quiet -v --verbose --color -h --help" ;;
        train) words=" --input-format --text-column --text-pair-column --label-column --data --eval -o --output --memory --device --device-memory --precision --threads --max-length --plan --epochs --max-steps --batch --lr --schedule --warmup-steps --warmup-ratio --optimizer --weight-decay --max-grad-norm --label-smoothing --dropout --shuffle --seed --log-every --save-every --keep --resume --overwrite --tune --shards --spill --best --metric --early-stopping --dry-run --stats --progress -q --quiet -v --verbose --color -h --help" ;;
        explain) words=" --batch --model --json --color -h --help" ;;
        watch) words=" --pid --once --interval --alert --exec --run --json --color -h --help" ;;
        devices) words=" --json --color -h --help" ;;
        shrink) words=" -h --help" ;;
        pull) words=" --progress -q --quiet -h --help" ;;
        help) words="plan tokenize embed classify train explain watch devices shrink pull help  -h --help" ;;
        esac
        case $word in
        -*) ;;
        *) [ "$verb" = help ] || { compopt -o default; return; } ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _plimsoll plimsoll
