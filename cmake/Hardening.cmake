# What every build of ours has, whatever its type: a broken invariant must stop doppel, not go on in
# somebody's process. So assert() stays on in a release, and libstdc++ checks its preconditions.
# Not passed on to consumers of the installed package.
add_library(doppel_hardening INTERFACE)
target_compile_options(doppel_hardening INTERFACE -UNDEBUG)
target_compile_definitions(doppel_hardening INTERFACE _GLIBCXX_ASSERTIONS)
