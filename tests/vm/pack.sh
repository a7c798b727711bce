# SPDX-License-Identifier: Apache-2.0
#
# Makes the initramfs: busybox, guest/, the programs of this project's build and the shared libraries they need. One file
# serves every kernel, since no module is needed, and every case: which ones run is a word of the kernel's command line.
# Sourced by run.

# Copies a program to `directory` without its debug information (the initramfs lives in the guest's memory), and the
# libraries it is linked with to their own paths.
pack_program() {
  local tree=$1 directory=$2 program=$3 library
  mkdir -p "$tree$directory"
  objcopy --strip-debug "$program" "$tree$directory/$(basename "$program")" 2>/dev/null ||
    cp "$program" "$tree$directory/"
  # A static program has none, and ldd fails for it.
  for library in $({ ldd "$program" 2>/dev/null || true; } | sed -nE 's/^(.*=>)?[[:space:]]*(\/[^ ]+) \(.*/\2/p'); do
    [ -e "$tree$library" ] || { mkdir -p "$tree$(dirname "$library")"; cp -L "$library" "$tree$library"; }
  done
}

# pack_initramfs HERE BUILD CACHE OUT LIVE: LIVE is empty, or the live suite goes in too.
pack_initramfs() {
  local here=$1 build=$2 cache=$3 out=$4 live=$5 tree=$3/tree program
  rm -rf "$tree"
  mkdir -p "$tree"/{bin,dev,etc,proc,root,run,sys,tmp,vm/cases}
  cp "$cache/qemu/bin/busybox" "$tree/bin/busybox"
  cp "$here/guest/init" "$tree/init"
  cp "$here/guest/lib.sh" "$tree/vm/"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n' >"$tree/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\nuser:x:1000:\n' >"$tree/etc/group"

  for program in "$build"/tests/vm/bin/*; do pack_program "$tree" /vm/bin "$program"; done
  # The live suite looks for the command where the build put it: that path is compiled in. The cases do not: under /tmp it
  # would be hidden, since the guest mounts one of its own there.
  pack_program "$tree" /bin "$build/cli/doppel"
  mkdir -p "$tree$build/cli"
  ln -s /bin/doppel "$tree$build/cli/doppel"

  cp "$here"/guest/cases/*.sh "$tree/vm/cases/"
  if [ -n "$live" ]; then
    for program in "$build"/tests/live/live_*; do
      [ -x "$program" ] && [ -f "$program" ] || continue
      pack_program "$tree" "$build/tests/live" "$program"
      echo "$build/tests/live/$(basename "$program")" >>"$tree/vm/live"
    done
    for program in "$build"/tests/targets/bin/*; do pack_program "$tree" "$build/tests/targets/bin" "$program"; done
  fi

  (cd "$tree" && find . | "$cache/qemu/bin/cpio" -o -H newc --quiet) >"$out"
  rm -rf "$tree"
}
