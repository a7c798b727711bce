// SPDX-License-Identifier: Apache-2.0
//
// A program that opens a dump and asks whose it is: read_dump FILE COMM
#include <array>
#include <iostream>

#include <dumpwriter/read/open_dump.h>
#include <snapshot/support/error_text.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto snapshot = doppel::open_dump(argv[1]);
  if (!snapshot) {
    std::cerr << doppel::error_text(snapshot.error()) << '\n';
    return 1;
  }
  const doppel::ProcessImage& image = snapshot->image;
  if (image.process.comm != argv[2] || image.threads.empty() || image.regions.empty()) return 1;
  std::array<std::byte, 8> top_of_stack{};
  const doppel::Address stack{image.threads.front().registers.general.rsp};
  const auto read = snapshot->memory->read(stack, top_of_stack);
  if (!read || *read != top_of_stack.size()) return 1;
  std::cout << image.process.comm << ": " << image.threads.size() << " threads, "
            << image.regions.size() << " regions\n";
  return 0;
}
