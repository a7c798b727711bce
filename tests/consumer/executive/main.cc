// SPDX-License-Identifier: Apache-2.0
//
// An outside program with an executive of its own: two processes, and a name that one of them
// holds.
#include <cstdio>

#include <snapshot/executive/ps/host_actor.h>
#include <snapshot/executive/win32/win32.h>

using namespace doppel;

int main() {
  Executive executive;
  HostActor first(executive, "first");
  HostActor second(executive, "second");
  Win32 one(first.nt());
  Win32 two(second.nt());
  HandleValue mutex = 0;
  HandleValue same = 0;
  const bool made = one.create_mutex("name", true, false, mutex) == win32_error::success;
  const bool found = two.create_mutex("name", false, false, same) == win32_error::already_exists;
  std::printf("made %d, found %d\n", made, found);
  return made && found ? 0 : 1;
}
