// SPDX-License-Identifier: Apache-2.0
//
// Which memory is worth most if the dump is cut short: the stacks, from each thread's stack pointer
// upwards, and what its registers point at. With that much a debugger shows every thread's frames
// and arguments.
#ifndef DOPPEL_DUMPWRITER_PLAN_FIRST_READS_H_
#define DOPPEL_DUMPWRITER_PLAN_FIRST_READS_H_

#include <vector>

#include <snapshot/model/process_image.h>

namespace doppel {

/// Page-aligned ranges, sorted, disjoint, each within one region of the image (which must be sorted
/// and disjoint). Per thread: from 128 bytes below its stack pointer (the red zone of the x86-64
/// psABI) up to 256 KiB or the region's end, and the aligned 16 KiB around every address in a
/// register.
std::vector<AddressRange> first_reads(const ProcessImage& image);

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_FIRST_READS_H_
