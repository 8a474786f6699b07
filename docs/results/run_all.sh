#!/bin/sh
# Train everything that docs/results/PLAN.md plans, in its order; the same command goes on where it stopped.
#
#   sh FOLDER/code/docs/results/run_all.sh FOLDER
#
# FOLDER has the clone `code`, the environment `venv` and the pictures `data`; `runs` and `log.txt` are made.
# Two of these on one FOLDER do not run at once: the second ends. `lock` has the
# number of the process group, so that `kill -- -$(cat FOLDER/lock)` stops all. See PLAN.md, "How to run it".
set -u
FOLDER=$(CDPATH='' cd -- "${1:?give the folder that has code, venv and data}" && pwd) || exit 2
cd "$FOLDER" || exit 2
for needed in code venv/bin/srlab data; do
    [ -e "$needed" ] || { echo "$FOLDER has no $needed; PLAN.md says how to make it"; exit 2; }
done
mkdir -p runs
exec 9>>lock
flock -n 9 || { echo "the trainings in $FOLDER run already; see log.txt"; exit 0; }
echo $$ >lock
exec >>log.txt 2>&1
export OMP_NUM_THREADS=1 COLUMNS=120
RESULTS=code/docs/results

say() { echo "=== $(date -u '+%Y-%m-%d %H:%M') $*"; }

# study NAME FILE [OPTION ...]: three attempts, since the same command goes on where it stopped.
study() {
    name=$1 file=$2
    shift 2
    for attempt in 1 2 3; do
        say "$name, attempt $attempt"
        nice -n 19 venv/bin/srlab study "$RESULTS/$file" --out "runs/$name" --jobs 2 --threads 1 \
            --no-estimate "$@" && return 0
        status=$?
        [ "$status" = 130 ] && { say "interrupted"; exit 130; }
    done
    say "$name failed with exit code $status; what needs it is left out"
    return 1
}

rates() { nice -n 19 venv/bin/python "$RESULTS/choose_rates.py" "$RESULTS/$1" "runs/$1_pilot"; }

question() {
    study "$1_pilot" "$1/pilot.py" && rates "$1" && study "$1" "$1/study.py" && study "$1_quarter" "$1/quarter.py"
}

say "start"
question c1_srcnn
question c4_rdn
question c2_vdsr
question c3_edsr
# The pilot's source is trained whole first, so that nothing starts from a rate that is not yet chosen.
study c5_srresnet_pilot c5_srresnet/pilot.py --variants original \
    && study c5_srresnet_pilot c5_srresnet/pilot.py && rates c5_srresnet \
    && study c5_srresnet c5_srresnet/study.py
say "end"
