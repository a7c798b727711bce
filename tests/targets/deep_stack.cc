// SPDX-License-Identifier: Apache-2.0
//
// A stack of a known number of frames with known locals, at the bottom of which the thread sleeps.
// deep_stack [FRAMES]
#include <tests/targets/victim.h>

static long frames;

[[gnu::noinline]] static long descend(long depth) {
  volatile long local[16];
  local[0] = depth;
  local[15] = depth ^ 0x5aa5;
  if (depth == frames) {
    victim::ready();
    victim::serve();
  } else if (descend(depth + 1) != depth + 1) {
    victim::fail("a frame below %ld changed", depth);
  }
  if (local[0] != depth || local[15] != (depth ^ 0x5aa5)) victim::fail("frame %ld changed", depth);
  return local[0];
}

int main(int argc, char** argv) {
  frames = victim::argument(argc, argv, 1, 2000);
  VICTIM_CHECK(descend(1) == 1);
  victim::finish_ok();
}
