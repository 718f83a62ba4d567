#!/usr/bin/env bash
# Runs an eoltag job on Spark, from a bare clone too: makes what is missing, then submits.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./spark-submit.sh [--pack-env] [spark-submit options] jobs/JOB.py [job options]

  ./spark-submit.sh jobs/tag_bundles.py --help
  ./spark-submit.sh jobs/tag_bundles.py --bundle my_urls.txt --task demo --output build/out
  ./spark-submit.sh --master 'local[4]' --driver-memory 4g jobs/tag_bundles.py ...
  ./spark-submit.sh --master yarn --pack-env jobs/tag_bundles.py ...

Everything in front of the job file goes to spark-submit as it is. On a fresh machine this makes .venv with the pinned
packages and finds Java 17 or newer (JAVA_HOME, PATH, /usr/lib/jvm), installing it where apt and root allow.

  --pack-env         for a cluster: pack the packages that executors need (once) and ship them with the job
  --print-java-home  find or install Java, print its home and stop

Without --master: local[*,4] (all cores; a task may fail four times) with conf/spark/local.conf. With any other master:
conf/spark/cluster.conf over the cluster's own defaults, and the code goes along. --properties-file replaces either file
(conf/spark/gpu.conf is there for GPUs). The driver runs here (--deploy-mode client): it reads task files and packages.
environment: JAVA_HOME; SPARK_HOME to use an installed Spark; PYTHON to choose the Python that makes .venv;
PYSPARK_PYTHON for the executors' Python without --pack-env; EOLTAG_NO_CLASS_ARCHIVE=yes to start without the archive of
Java classes that the first local run makes in .venv (200 MB).
TEXT
}

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
venv=$root/.venv

fail() { echo "error: $*" >&2; exit 2; }

# Ctrl-C and SIGTERM while this script is at work. What takes long runs as `$child`, so that bash hears of them at once;
# later the job's Python listens itself.
child=
unfinished=()
stop() {
  trap '' INT TERM
  if [ -n "$child" ]; then
    kill -KILL -- "-$child" 2>/dev/null || kill -KILL "$child" 2>/dev/null || true
  fi
  [ ${#unfinished[@]} = 0 ] || rm -rf -- "${unfinished[@]}"
  echo "interrupted: what was committed stays; the same command goes on from there" >&2
  exit "$1"
}
trap 'stop 130' INT
trap 'stop 143' TERM

# patiently COMMAND...: runs it in a process group of its own, and gives its exit code.
patiently() {
  local code=0
  set -m
  "$@" </dev/null &
  child=$!
  set +m
  wait "$child" || code=$?
  child=
  return "$code"
}

# From the file that a JDK or JRE has beside it; else by asking, which takes a JVM's start.
java_major() {
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null | grep . ||
    "$1/bin/java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1
}

usable_java() {
  [ -n "$1" ] && [ -x "$1/bin/java" ] || return 1
  local major
  major=$(java_major "$1")
  [ -n "$major" ] && [ "$major" -ge 17 ]
}

java_on_path() {
  local java
  java=$(command -v java) || return 1
  dirname "$(dirname "$(readlink -f "$java")")"
}

find_java() {
  local home
  for home in "${JAVA_HOME:-}" "$(java_on_path || true)" /usr/lib/jvm/*; do
    if usable_java "$home"; then echo "$home"; return; fi
  done
  return 1
}

install_java() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    fail "Java 17 or newer was not found; install it (Debian, Ubuntu: sudo apt-get install openjdk-17-jre-headless) or set JAVA_HOME"
  fi
  echo "installing Java ..." >&2
  patiently apt-get update -qq >&2 || true
  local package
  for package in openjdk-17-jre-headless openjdk-21-jre-headless; do
    if DEBIAN_FRONTEND=noninteractive patiently apt-get install -y -qq "$package" >&2; then return; fi
  done
  fail "Java 17 or newer was not found, and apt-get could not install it; install it by hand or set JAVA_HOME"
}

find_python() {
  local python
  for python in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$python"; return; fi
  done
  fail "Python 3.11 or newer was not found; install it or set PYTHON"
}

# make_venv DIR REQUIREMENT...: a virtual environment with the pinned packages, complete or not there at all.
make_venv() {
  local target=$1 python
  shift
  python=$(find_python)
  echo "making ${target#"$root/"} with the pinned packages (once) ..." >&2
  [ -x "$target/bin/python" ] || patiently "$python" -P -m venv "$target" >&2
  patiently "$target/bin/python" -P -m pip install -q --disable-pip-version-check -c "$root/constraints.txt" "$@" >&2 ||
    fail "the packages could not be installed; the lines above say why"
}

# What no executor runs: what installs and packs, tests, and what C++ and type checkers read.
unneeded=('*/tests/*' '*/site-packages/*/include/*' '*.a' '*.pyi' '*/distutils-precedence.pth' '*/_distutils_hack/*'
  '*/site-packages/pip/*' '*/site-packages/setuptools/*' '*/site-packages/pkg_resources/*' '*/site-packages/venv_pack/*')

# Packed once for the same pinned packages and Python: the code itself goes along apart, and may have changed.
pack_env() {
  local packed=$root/build/worker-env.tar.gz what quiet=-q
  what=$(cat "$root/constraints.txt" "$root/setup.py" "$venv/pyvenv.cfg" <(echo "${unneeded[@]}") | cksum)
  if [ -f "$packed" ] && [ "$(cat "$packed.made-of" 2>/dev/null)" = "$what" ]; then
    echo "the packages for executors are packed already: ${packed#"$root/"}" >&2
    return
  fi
  make_venv "$root/build/worker-env" "$root" venv-pack >&2
  echo "packing the packages for executors as ${packed#"$root/"} (once, a minute or two) ..." >&2
  [ ! -t 2 ] || quiet=
  patiently "$root/build/worker-env/bin/venv-pack" $quiet -f -p "$root/build/worker-env" -o "$packed.tmp.tar.gz" \
    "${unneeded[@]/#/--exclude=}" >&2 || fail "the packages for executors could not be packed; the lines above say why"
  mv "$packed.tmp.tar.gz" "$packed"
  echo "$what" >"$packed.made-of"
}

# What can be refused is refused before minutes go into packing.
check_arguments() {
  EOLTAG_ONLY_CHECK=yes "$venv/bin/python" "$job" "$@" || exit $?
  case " $* " in *" --help "*|*" -h "*) exit 0 ;; esac
}

# The class-data-sharing archive: the classes that a job loads, as one file that the JVM maps, so that a small run takes a
# quarter less CPU time. From Java 19 on the JVM writes and renews it by itself; before, a run of its own makes it. A JVM
# or class path that does not fit the file goes without it. That class path must not hold folders with files in them.
use_class_archive() {
  local archive jvm_options major
  mkdir -p "$venv/spark-conf" 2>/dev/null || return 1
  major=$(java_major "$JAVA_HOME")
  jvm_options="-Xlog:disable -Xlog:all=error:stderr \"-Dlog4j2.configurationFile=file:$root/conf/spark/log4j2.properties\""
  if [ "$major" -ge 19 ]; then
    archive=$venv/spark-classes-java$major.jsa
    SPARK_SUBMIT_OPTS="-XX:+AutoCreateSharedArchive ${SPARK_SUBMIT_OPTS:-}"
  else
    archive=$(cat "$JAVA_HOME/release" "$venv/bin/spark-submit" "$root/eoltag/spark/start/class_archive.py" 2>/dev/null | cksum)
    archive=$venv/spark-classes-${archive%% *}.jsa
    [ -e "$archive" ] || make_class_archive "$archive" "$jvm_options" || return 1
  fi
  export SPARK_CONF_DIR=$venv/spark-conf
  export SPARK_SUBMIT_OPTS="$jvm_options \"-XX:SharedArchiveFile=$archive\" ${SPARK_SUBMIT_OPTS:-}"
}

# make_class_archive FILE JVM_OPTIONS: complete, or an empty file, so that what fails once is not tried at every start.
make_class_archive() {
  local made=$1.$$
  : 2>/dev/null >"$made.txt" || return 1
  unfinished=("$made" "$made.txt" "$made.tmp")
  mkdir -p "$made.tmp"
  echo "archiving Spark's classes for faster starts (once, under a minute) ..." >&2
  if PYSPARK_SUBMIT_ARGS="--master local[2] --properties-file $(printf '%q' "$root/conf/spark/local.conf") pyspark-shell" \
    SPARK_CONF_DIR=$venv/spark-conf SPARK_SUBMIT_OPTS="$2 \"-XX:ArchiveClassesAtExit=$made\"" TMPDIR=$made.tmp PYTHONSAFEPATH=1 \
    patiently "$venv/bin/python" -m eoltag.spark.start.class_archive >"$made.txt" 2>&1 && [ -s "$made" ]; then
    rm "$made.txt"
  else
    echo "that failed, and jobs run without it; $made.txt says why; to try again, remove $1" >&2
    : >"$made"
  fi
  rm -f "$venv"/spark-classes-[0-9]*.jsa
  mv "$made" "$1"
  rm -rf "$made.tmp"
  unfinished=()
}

# Options of spark-submit that take no value; all others that start with -- take the next word.
is_flag() { case "$1" in --*=*|--supervise|--verbose|-v|--version|--load-spark-defaults|--proxy-user=*) return 0 ;; *) return 1 ;; esac; }

jobs() { (cd "$root" && ls jobs/[a-z]*.py | sed -n 'H;${x;s/^\n//;s/\n/, /g;p;}'); }

# shipped FILE: a file of that name here, else in the project.
shipped() { if [ ! -e "$1" ] && [ -f "$root/$1" ]; then echo "$root/$1"; else echo "$1"; fi; }

options=()
job=
master=
deploy_mode=client
has_properties=
has_pack_env=
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --pack-env) has_pack_env=yes; shift ;;
    --print-java-home) find_java || { install_java; find_java; }; exit ;;
    *.py) job=$1; shift; break ;;
    --*)
      case "$1" in
        --properties-file*) has_properties=yes ;;
        --master=*) master=${1#--master=} ;;
        --deploy-mode=*) deploy_mode=${1#--deploy-mode=} ;;
      esac
      case "$1" in --properties-file=*) set -- "--properties-file=$(shipped "${1#*=}")" "${@:2}" ;; esac
      if is_flag "$1"; then options+=("$1"); shift; continue; fi
      [ $# -ge 2 ] || fail "$1 wants a value"
      [ "$1" != --master ] || master=$2
      [ "$1" != --deploy-mode ] || deploy_mode=$2
      [ "$1" != --properties-file ] || set -- "$1" "$(shipped "$2")" "${@:3}"
      options+=("$1" "$2")
      shift 2
      ;;
    *) fail "a job file ($(jobs)) was wanted. Received: $1" ;;
  esac
done
[ -n "$job" ] || { usage >&2; fail "no job file was given: $(jobs)"; }
[ "$deploy_mode" = client ] ||
  fail "--deploy-mode client was wanted, since the driver reads task files and packages here. Received: $deploy_mode"
[ -f "$job" ] || { [ -f "$root/$job" ] && job=$root/$job; } || fail "$job: no such job file; there are $(jobs)"

[ -x "$venv/bin/spark-submit" ] || make_venv "$venv" -e "$root[spark]"
JAVA_HOME=$(find_java) || { install_java; JAVA_HOME=$(find_java) || fail "Java was installed but is not found; set JAVA_HOME"; }
export JAVA_HOME
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
export PYSPARK_DRIVER_PYTHON=$venv/bin/python

case "${master:-local}" in
  local|local\[*)
    export PYSPARK_PYTHON=$venv/bin/python
    case " $* " in *" --help "*|*" -h "*) EOLTAG_NO_CLASS_ARCHIVE=yes ;; esac
    if [ -n "${SPARK_CONF_DIR:-}${SPARK_HOME:-}${EOLTAG_NO_CLASS_ARCHIVE:-}" ] || ! use_class_archive; then
      export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$root/conf/spark}
    fi
    [ -n "$master" ] || options+=(--master 'local[*,4]')
    [ -n "$has_properties" ] || options+=(--properties-file "$root/conf/spark/local.conf")
    ;;
  *)
    mkdir -p "$root/build"
    (cd "$root" && "$venv/bin/python" - <<'PY'
import zipfile
from pathlib import Path

with zipfile.ZipFile("build/eoltag.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(Path("eoltag").rglob("*.py")):
        archive.write(path)
PY
    )
    options+=(--py-files "$root/build/eoltag.zip")
    if [ -n "$has_pack_env" ]; then
      check_arguments "$@"
      pack_env
      options+=(--archives "$root/build/worker-env.tar.gz#environment")
      export PYSPARK_PYTHON=./environment/bin/python
    else
      export PYSPARK_PYTHON=${PYSPARK_PYTHON:-$venv/bin/python}
    fi
    [ -n "$has_properties" ] || options+=(--properties-file "$root/conf/spark/cluster.conf")
    options+=(--load-spark-defaults)
    ;;
esac

# The job's Python starts spark-submit itself, when its arguments have proved sound: --help and mistakes answer in a
# second, and stderr stays apart from stdout, which spark-submit would merge.
PYSPARK_SUBMIT_ARGS=$(printf '%q ' "${options[@]}")pyspark-shell
export PYSPARK_SUBMIT_ARGS
if [ -n "${SPARK_HOME:-}" ]; then
  PYTHONPATH=$SPARK_HOME/python:$(printf '%s\n' "$SPARK_HOME"/python/lib/py4j-*.zip | head -n 1):$PYTHONPATH
fi

# Python takes a moment until it listens: signals wait until then, where env can make them.
listening=(env --default-signal=INT,TERM --block-signal=INT,TERM)
"${listening[@]}" true 2>/dev/null || listening=()
exec ${listening[@]+"${listening[@]}"} "$venv/bin/python" "$job" "$@"
