# SPDX-License-Identifier: Apache-2.0
#
# The words the cases are written in. Every claim is one `pass` or `fail` line on the serial port; a case goes on after a
# failed claim where that makes sense and returns through `finish`.

failed=0
victim=""
outer=""  # what started the victim, if that is not the shell

pass() { echo "VMTEST-PASS $CASE: $*"; }
fail() { echo "VMTEST-FAIL $CASE: $*"; failed=1; }
skip() { echo "VMTEST-SKIP $CASE: $*"; }
finish() { exit $failed; }

# A claim that the case cannot do without: says why and ends the case.
need() {
  what=$1
  shift
  "$@" || { fail "$what"; finish; }
}

# is "claim" GOT WANTED
is() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1: got '$2', want '$3'"; fi; }

# holds "claim" COMMAND...
holds() {
  claim=$1
  shift
  if "$@"; then pass "$claim"; else fail "$claim"; fi
}

# says "claim" FILE PATTERN: the file matches the extended regular expression, else it is shown.
says() {
  if grep -qE -- "$3" "$2"; then pass "$1"; else fail "$1: no /$3/ in:"; sed 's/^/    | /' "$2"; fi
}

# start_victim PROGRAM ARGUMENT...: runs it in the background and waits for its line "ready ADDRESS SIZE". Sets $victim,
# $address, $size. The victim answers commands, see `ask`. AS=uid runs it as that user; IN=cgroup in that cgroup.
start_victim() {
  rm -f /tmp/ask /tmp/answer
  mkfifo /tmp/ask /tmp/answer
  exec 7<>/tmp/answer 8<>/tmp/ask
  (
    [ -z "$IN" ] || echo 0 >"$IN/cgroup.procs"
    if [ -n "$AS" ]; then exec as_user "$AS" "$@"; else exec "$@"; fi
  ) <&8 >&7 7>&- 8>&- &
  victim=$!
  word=""
  read -r -t 40 word address size <&7
  [ "$word" = ready ] || { fail "$1 did not start: '$word $address $size'"; finish; }
}

# ask COMMAND: sends it to the victim and prints the one-line answer.
ask() {
  echo "$1" >&8
  answer=""
  read -r -t 40 answer <&7
  echo "$answer"
}

# Ends the victim and waits for its end.
end_victim() {
  echo quit >&8
  wait "${outer:-$victim}"
  outer=""
}

# capture ARGUMENT...: doppel capture, its exit code in $code, its streams in /tmp/out and /tmp/err. AS=uid as that user.
capture() {
  code=0
  if [ -n "$AS" ]; then
    as_user "$AS" doppel capture "$@" >/tmp/out 2>/tmp/err || code=$?
  else
    doppel capture "$@" >/tmp/out 2>/tmp/err || code=$?
  fi
}

# captured "claim" WANTED-CODE: the exit code of the last capture, its messages shown if it is another.
captured() {
  [ -e /tmp/out ] || : >/tmp/out
  if [ "$code" = "$2" ]; then
    pass "$1"
  else
    fail "$1: exit code $code, want $2"
    sed 's/^/    | /' /tmp/err /tmp/out
  fi
}

# start_streaming: begins a capture of $victim into a pipe and returns when the head of the dump has arrived, that is, when
# the target runs again and the clone waits for a reader. finish_streaming reads the rest into /tmp/core and sets $code.
start_streaming() {
  rm -f /tmp/pipe
  mkfifo /tmp/pipe
  doppel capture --no-compress -o - "$@" $victim >/tmp/pipe 2>/tmp/err &
  doppel=$!
  exec 6</tmp/pipe
  dd bs=64 count=1 <&6 >/tmp/core 2>/dev/null
}

finish_streaming() {
  cat <&6 >>/tmp/core
  exec 6<&-
  code=0
  wait $doppel || code=$?
}

# The processes of which $victim is the parent: while a dump is written, the clone.
children() { cat /proc/$victim/task/*/children 2>/dev/null | tr -s ' ' '\n' | grep .; }

# until_gone SECONDS: waits until the victim has no child any more, or has ended itself.
until_gone() {
  tries=$(($1 * 50))
  while kill -0 $victim 2>/dev/null && [ -n "$(children)" ] && [ $tries -gt 0 ]; do
    tries=$((tries - 1))
    usleep 20000
  done
}

# The target cannot tell: it lives, nobody traces it, it has no child, its memory is what it wrote, and nothing of doppel
# is left on the machine. $descriptors, when set, is what it had before.
unharmed() {
  if ! kill -0 "$victim" 2>/dev/null; then fail "${1:-target} is alive"; return; fi
  is "${1:-target}: memory intact" "$(ask check)" intact
  is "${1:-target}: not traced" "$(sed -n 's/^TracerPid:[[:space:]]*//p' /proc/$victim/status)" 0
  is "${1:-target}: no child" "$(children)" ""
  nothing_left
}

# No process of doppel, no clone, no zombie. A process that is just being reaped gets a moment.
nothing_left() {
  tries=0
  while left=$(leftovers) && [ -n "$left" ] && [ $tries -lt 100 ]; do tries=$((tries + 1)); usleep 20000; done
  is "nothing of doppel is left" "$left" ""
}

# Every process that is a clone (same executable as a victim, but not the victim), the command, or its tracer.
leftovers() {
  for p in /proc/[0-9]*; do
    name=$(cat "$p/comm" 2>/dev/null) || continue
    case $name in *doppel*|dump:*) echo "${p#/proc/}:$name" ;; esac
  done
}

# dump_holds "claim" CORE ADDRESS SIZE GENERATION
dump_holds() {
  claim=$1
  shift
  if core_holds "$1" words "$2" "$3" "$4" >/tmp/holds 2>&1; then pass "$claim"; else fail "$claim: $(cat /tmp/holds)"; fi
}

# tries WHO(uid or 0) WANTED-CODE(0 or 5) "claim": a capture of $victim under the present Yama scope. The kernel's own answer first,
# then doppel's: exit code, message, dump, target.
tries() {
  mkdir -p -m 777 /tmp/dumps
  if [ "$2" = 0 ]; then expected=seized; else expected='Operation not permitted'; fi
  if [ "$1" = 0 ]; then AS=""; else AS=$1; fi
  is "$3: the kernel says" "$(if [ -n "$AS" ]; then as_user $AS seize $victim; else seize $victim; fi)" "$expected"
  capture --no-compress -o /tmp/dumps/core $victim
  captured "$3: exit code" "$2"
  if [ "$2" = 0 ]; then
    dump_holds "$3: the dump" /tmp/dumps/core $address $size 0
  else
    says "$3: the message names the gate and its value" /tmp/err "ptrace_scope ?=? ?$(cat /proc/sys/kernel/yama/ptrace_scope)|ptrace_scope is $(cat /proc/sys/kernel/yama/ptrace_scope)"
    is "$3: no dump" "$(ls /tmp/dumps)" ""
  fi
  AS=1000 unharmed "$3"
  rm -f /tmp/dumps/core
}
