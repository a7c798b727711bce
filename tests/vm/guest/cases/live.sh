# SPDX-License-Identifier: Apache-2.0
# case: the live suite of tests/live on this kernel, every test in a process of its own
# limit: 1200

chmod 1777 /tmp
for program in $(cat /vm/live); do
  # "Suite." in the first column, tests of it indented; a comment behind a parameter.
  tests=$("$program" --gtest_list_tests | sed 's/#.*//' | awk '/^[^ ]/ { suite = $1 } /^ / { print suite $1 }')
  [ -n "$tests" ] || fail "$(basename "$program") lists no test"
  for test in $tests; do
    code=0
    timeout -s KILL 120 "$program" --gtest_color=no --gtest_filter="$test" >/tmp/live.log 2>&1 || code=$?
    if [ $code = 0 ] && grep -q '^\[  SKIPPED \]' /tmp/live.log; then
      skip "$test: $(sed -n '/Skipped$/{n;p;q}' /tmp/live.log)"
    elif [ $code = 0 ] && grep -q '^\[  PASSED  \] 1 test' /tmp/live.log; then
      pass "$test"
    else
      fail "$test (exit $code)"
      head -c 3000 /tmp/live.log | grep -v '^\[\|^Note\|^Running\|^$' | sed 's/^/    | /'
    fi
  done
done
