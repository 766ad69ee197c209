#!/usr/bin/env bash
# Textbooks Are All You Need from end to end: scripts/reproduce_phi1.sh [RECIPE] [key=value ...], e.g. phi-1-small.
# Plan, corpus, student, HumanEval, MBPP, the understanding rubric, and with EXPERIMENTS="figure-2.1 table-3" these. Each
# step goes on where it was; run the same line again after whatever has stopped it. What is measured lies in
# $OUT (reproduced/RECIPE), one JSON file a step; a file that is there is not measured again.
#   JUDGE="http://127.0.0.1:8000/v1 --judge-model NAME"  grades understanding; without it the tests alone are run
#   SAMPLES=10 TEMPERATURE=0.2                           answers a problem; greedy by default
#   BENCHMARKS="humaneval mbpp understanding"            what is measured
#   PLAN=1                                               the plan alone
set -euo pipefail
cd "$(dirname "$0")/.."
hornbook=${HORNBOOK:-.venv/bin/hornbook}
recipe=phi-1
if [ $# -gt 0 ] && [[ $1 != *=* ]]; then recipe=$1 && shift; fi
name=reproduce-$(basename "${recipe%.toml}")
out=${OUT:-reproduced/$(basename "${recipe%.toml}")}
sampling=(--samples "${SAMPLES:-1}" --temperature "${TEMPERATURE:-0}")
mkdir -p "$out"

step() { printf '\n== %s\n' "$*" >&2; }

# What a command says as JSON, into a file that is there only where all of it is.
into() {
    local file=$out/$1.json
    shift
    if [ -s "$file" ]; then
        echo "there: $file" >&2
        return
    fi
    "$@" --json > "$file.part"
    mv "$file.part" "$file"
    echo "wrote $file" >&2
}

step "plan of $recipe"
"$hornbook" plan "$recipe" "$@" --name "$name"
[ -z "${PLAN:-}" ] || exit 0

step "corpus, student, scores"
"$hornbook" run "$recipe" "$@" --name "$name"

student=$("$hornbook" status "$name" --json | .venv/bin/python -c '
import json, pathlib, sys
from pipeline.store.places import places
key = next(one["key"] for one in json.load(sys.stdin)["stages"] if one["name"] == "student")
print(places().store.local("student", key, places().models) / "model")')

judge=()
[ -z "${JUDGE:-}" ] || read -ra judge <<< "--judge $JUDGE"
for benchmark in ${BENCHMARKS:-humaneval mbpp understanding}; do
    step "$benchmark"
    if [ "$benchmark" = understanding ]; then  # 50 problems written for this purpose, which a judge grades
        into "understanding${JUDGE:+-judged}" "$hornbook" evaluate "$student" --benchmark understanding "${judge[@]}"
    else
        into "$benchmark" "$hornbook" evaluate "$student" --benchmark "$benchmark" --corpus "$name" "${sampling[@]}"
    fi
done

for experiment in ${EXPERIMENTS:-}; do
    step "experiment $experiment"
    into "$experiment" "$hornbook" sweep "$experiment" --scale "${SCALE:-phi-1-small}"
done

step "what there is"
"$hornbook" report "$name"
.venv/bin/python - "$out" <<'SUMMARY'
import json, pathlib, sys

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    found = json.loads(path.read_text())
    if found.get("interval"):
        low, high = found["interval"]
        graded = (found.get("understanding") or {}).get("percent")
        grade = "" if graded is None else f", graded {graded:.1f}%"
        print(f"  {path.stem:<22} {found['pass@k']['1']:6.1%} [{100 * low:.1f}, {100 * high:.1f}] of {found['problems']}{grade}")
    else:
        print(f"  {path.stem:<22} {path}")
SUMMARY
