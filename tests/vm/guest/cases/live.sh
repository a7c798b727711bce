# SPDX-License-Identifier: Apache-2.0
# case: the live suite of tests/live on this kernel
# limit: 900

chmod 1777 /tmp
for program in $(cat /vm/live); do
  # One line for each test; what a failed one printed stays in the serial log.
  "$program" --gtest_color=no 2>&1 | tee /tmp/live.log | sed -nE \
    -e "s/^\[       OK \] (.*) \(.*/VMTEST-PASS $CASE: \1/p" \
    -e "s/^\[  FAILED  \] ([^ ]+) \([0-9]+ ms\)$/VMTEST-FAIL $CASE: \1/p" \
    -e "s/^\[  SKIPPED \] ([^ ]+) \([0-9]+ ms\)$/VMTEST-SKIP $CASE: \1/p" \
    -e '/^\[/!s/^/    | /p'
  # A program that died half way has no summary.
  if ! grep -q '^\[  PASSED  \]' /tmp/live.log; then fail "$(basename "$program") did not finish"; fi
  if grep -q '^\[  FAILED  \]' /tmp/live.log; then failed=1; fi
done
