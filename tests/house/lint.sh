#!/bin/sh
# lint.sh BUILD JOBS: the tree as clang-format and clang-tidy want it; BUILD holds compile_commands.json
# of a Clang build. clang-tidy is asked again only for what changed since it was last content.
set -eu
build=$1
jobs=$2

files=$(git ls-files '*.c' '*.h' 2>/dev/null || true)
[ -n "$files" ] || files=$(find include src tests examples bench -name '*.[ch]')

# shellcheck disable=SC2086 # names of this tree hold no blanks
if ! clang-format --style=file --dry-run --Werror $files 2>"$build/format.log"; then
    grep 'error:' "$build/format.log" | cut -d: -f1 | sort | uniq -c | sort -rn | sed 's/^/  /' >&2
    echo "lint: these files are not as clang-format writes them; ./dev format does it" >&2
    exit 1
fi

# One clean stamp per file, older than nothing it depends on: headers of the tree and the checks.
newest=$(ls -t .clang-tidy $(printf '%s\n' $files | grep '\.h$') | head -n 1)
mkdir -p "$build/tidy"
todo=
for file in $(grep '"file":' "$build/compile_commands.json" | sed 's/.*"file": "\(.*\)".*/\1/' | sort -u); do
    stamp=$build/tidy/$(printf '%s' "$file" | tr '/' '_')
    if [ ! -e "$stamp" ] || [ "$file" -nt "$stamp" ] || [ "$newest" -nt "$stamp" ]; then
        todo="$todo $file"
    fi
done
[ -n "$todo" ] || exit 0
export build
# shellcheck disable=SC2086,SC2016
printf '%s\n' $todo | xargs -P "$jobs" -n 1 sh -c '
    log=$build/tidy/$(printf "%s" "$1" | tr "/" "_")
    if clang-tidy --quiet -p "$build" "$1" >"$log.log" 2>&1; then
        touch "$log"
    else
        grep -v "warnings generated" "$log.log"
        exit 1
    fi' tidy
