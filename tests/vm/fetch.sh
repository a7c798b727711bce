# SPDX-License-Identifier: Apache-2.0
#
# Brings qemu, busybox, cpio and the kernels into a private directory, by apt with a private state: the host's sources,
# lists and installed packages stay as they are, and an ordinary user can do it. The mirror is the host's own.
# Sourced by run. Everything is fetched once and kept.
#
# qemu comes from bookworm-backports (10.0): Debian 12's own 7.2 makes newer kernels crash under emulation with two CPUs.
# Kernels are the cloud flavour: small, and NVMe, ext4, swap, Yama, hugetlb, cgroup v2 are built in.

# The mirror that serves `release` according to the host's apt sources; empty if none does. The files are read because
# `apt-get indextargets` knows nothing before the host's first `apt-get update`.
host_mirror() {
  local etc=/etc/apt
  {
    # deb [options] URI SUITE COMPONENT...
    cat $etc/sources.list $etc/sources.list.d/*.list 2>/dev/null |
      sed -nE 's/^[[:space:]]*deb[[:space:]]+(\[[^]]*\][[:space:]]+)?//p' | awk '{ print $2, $1 }'
    # Stanzas with one field a line: every suite with the first URI.
    local file
    for file in $etc/sources.list.d/*.sources; do
      [ -e "$file" ] || continue
      awk 'function flush(  i) { for (i = 1; i <= n; i++) print suite[i], uri; n = 0; uri = "" }
           /^[[:space:]]*$/ { flush() }
           tolower($1) == "uris:" { uri = $2 }
           tolower($1) == "suites:" { n = NF - 1; for (i = 2; i <= NF; i++) suite[i - 1] = $i }
           END { flush() }' "$file"
    done
  } | awk -v release="$1" '$1 == release { sub("/$", "", $2); print $2; exit }'
}

# Writes the private apt configuration once per cache.
private_apt() {
  local cache=$1 apt=$1/apt mirror security keyring key
  mkdir -p "$apt/none" "$apt/lists/partial" "$apt/cache/archives/partial"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -e "$keyring" ] || { echo "no $keyring: tests/vm needs Debian's archive keys (package debian-archive-keyring)" >&2; return 1; }
  mirror=${DOPPEL_VM_MIRROR:-$(host_mirror bookworm)}
  security=${DOPPEL_VM_SECURITY_MIRROR:-$(host_mirror bookworm-security)}
  if [ -z "$mirror" ] || [ -z "$security" ]; then
    echo "the host's apt sources name no mirror of bookworm and bookworm-security; set DOPPEL_VM_MIRROR and DOPPEL_VM_SECURITY_MIRROR" >&2
    return 1
  fi
  key="[signed-by=$keyring]"
  {
    for suite in bookworm bookworm-updates bookworm-backports trixie-backports; do echo "deb $key $mirror $suite main"; done
    for suite in bookworm-security bullseye-security; do echo "deb $key $security $suite main"; done
  } >"$apt/sources.list"
  cp /var/lib/dpkg/status "$apt/status"
  cat >"$apt/conf" <<END
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$apt/none";
APT::Architectures { "amd64"; };
APT::Default-Release "";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "3";
END
  APT_CONFIG=$apt/conf apt-get -qq update >"$cache/log/apt.log" 2>&1 || { cat "$cache/log/apt.log" >&2; return 1; }
}

# In the cache's apt, with the lists fetched by now: runs apt-get or apt-cache.
apt_private() {
  local cache=$1
  shift
  [ -e "$cache/apt/updated" ] || { private_apt "$cache" && touch "$cache/apt/updated"; } || return 1
  APT_CONFIG=$cache/apt/conf "$@"
}

qemu_library_path() {
  echo "$1/qemu/usr/lib/x86_64-linux-gnu:$1/qemu/lib/x86_64-linux-gnu:$1/qemu/usr/lib/x86_64-linux-gnu/pulseaudio"
}

fetch_qemu() {
  local cache=$1 deb
  [ ! -e "$cache/qemu/complete" ] || return 0
  echo "fetching qemu, busybox and cpio"
  rm -rf "$cache/qemu"
  mkdir -p "$cache/qemu/deb"
  # What qemu needs beyond the packages this host has; downloaded, never installed.
  apt_private "$cache" apt-get -qq install --yes --download-only --no-install-recommends -t bookworm-backports \
    -o Dir::Cache::archives="$cache/qemu/deb" qemu-system-x86 >"$cache/log/qemu.log" 2>&1 || { cat "$cache/log/qemu.log" >&2; return 1; }
  (cd "$cache/qemu/deb" && apt_private "$cache" apt-get -qq download busybox-static cpio) >>"$cache/log/qemu.log" 2>&1 ||
    { cat "$cache/log/qemu.log" >&2; return 1; }
  for deb in "$cache"/qemu/deb/*.deb; do dpkg -x "$deb" "$cache/qemu" || return 1; done
  rm -rf "$cache/qemu/deb"
  LD_LIBRARY_PATH=$(qemu_library_path "$cache") "$cache/qemu/usr/bin/qemu-system-x86_64" --version >/dev/null || return 1
  touch "$cache/qemu/complete"
}

# The Debian release that carries each kernel of ours.
kernel_release() {
  case $1 in
    5.10) echo bullseye-security ;;
    6.1) echo bookworm-security ;;
    6.12) echo bookworm-backports ;;
    newest) echo trixie-backports ;;
  esac
}

# ABI names change with every update: ask which one the release's meta package stands for. From 7.0 on the image package
# is empty and the kernel is in linux-binary-*.
fetch_kernel() {
  local cache=$1 kernel=$2 dir=$1/kernel/$2 release version image package deb
  [ ! -e "$dir/vmlinuz" ] || return 0
  release=$(kernel_release "$kernel")
  rm -rf "$dir"
  mkdir -p "$dir"
  version=$(apt_private "$cache" apt-cache madison linux-image-cloud-amd64 |
    awk -F'|' -v r="$release/" 'index($3, r) { gsub(/ /, "", $2); print $2; exit }')
  [ -n "$version" ] || { echo "no kernel in $release" >&2; return 1; }
  image=$(apt_private "$cache" apt-cache depends "linux-image-cloud-amd64=$version" |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p')
  package=$image=$version
  if apt_private "$cache" apt-cache show "${image/linux-image-/linux-binary-}=$version" >/dev/null 2>&1; then
    package=${image/linux-image-/linux-binary-}=$version
  fi
  echo "fetching kernel $kernel: $package"
  (cd "$dir" && apt_private "$cache" apt-get -qq download "$package") >"$cache/log/kernel.log" 2>&1 ||
    { cat "$cache/log/kernel.log" >&2; return 1; }
  for deb in "$dir"/*.deb; do dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --wildcards '*vmlinuz*' || return 1; done
  rm "$dir"/*.deb
  echo "${image#linux-image-} ($version)" >"$dir/name"
  find "$dir" -type f -name 'vmlinuz*' -exec mv {} "$dir/vmlinuz" \;
  [ -s "$dir/vmlinuz" ]
}

kernel_image() { echo "$1/kernel/$2/vmlinuz"; }
kernel_name() { cat "$1/kernel/$2/name"; }
