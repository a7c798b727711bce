# SPDX-License-Identifier: Apache-2.0
# case: the kernel lacks and has what its age says, so the fallbacks are really the ones taken
# short

kernel_facts >/tmp/facts
version=$(uname -r | awk -F. '{ sub(/[^0-9].*/, "", $2); print $1 * 1000 + $2 }')

# fact NAME FIRST: present from that version on (major * 1000 + minor) and not before.
fact() {
  if [ "$version" -ge "$2" ]; then want=yes; else want=no; fi
  is "$1 on $(uname -r)" "$(sed -n "s/^$1 //p" /tmp/facts)" $want
}
fact close_range 5009
fact pidfd_getfd 5006
fact rseq_configuration 5013
fact cgroup_kill 5014
fact process_mrelease 5015
fact pagemap_scan 6007
fact procmap_query 6011
fact guard_regions 6013
fact yama 3004
