#!/usr/bin/env bash
# Write requirements/lock-*.txt with uv, given as the only argument. The users of the locks need nothing but pip.
# The locks hold for every platform and for Python 3.11 and newer, and name no index.
set -euo pipefail
uv="$1"
cd "$(dirname "$0")/.."

compile() { # compile OUTPUT [ARGUMENT...]
    local output="requirements/$1"
    shift
    "$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate \
        --custom-compile-command "make lock" --output-file "$output" "$@" pyproject.toml requirements/build.in
}

# Readers of datasets have an environment of their own; PyTorch comes as another build on other machines, so no hashes.
"$uv" pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url --no-annotate \
    --custom-compile-command "make lock" --output-file requirements/lock-readers.txt requirements/readers.in

# The widest lock first; the others take its versions. A judge may come as another build of the same version, from a
# folder of wheels, so its lock has no hashes.
compile lock-judge.txt --extra dev --extra slurm --extra bench --extra proof --extra judge
compile lock-dev.txt --extra dev --extra slurm --extra bench --extra proof --constraint requirements/lock-judge.txt --generate-hashes
for extra in "" cuda12 cuda13; do
    compile "lock-${extra:-run}.txt" ${extra:+--extra "$extra"} --constraint requirements/lock-judge.txt --generate-hashes
done
