// SPDX-License-Identifier: Apache-2.0
//
// CONTEXT of x86-64 (winnt.h), 1232 bytes, to and from the model's registers.
#ifndef DOPPEL_DUMPWRITER_MINIDUMP_CONTEXT_AMD64_H_
#define DOPPEL_DUMPWRITER_MINIDUMP_CONTEXT_AMD64_H_

#include <cstddef>
#include <vector>

#include <snapshot/model/cpu_context.h>

namespace doppel::minidump {

/// What has no place in it: orig_rax, the bases of fs and gs, all beyond the FXSAVE area. The flags
/// name the parts that the registers hold: floating point only with an FXSAVE or XSAVE area. (lldb
/// shows no registers at all without CONTEXT_AMD64.)
std::vector<std::byte> make_context(const CpuContext& registers);

}  // namespace doppel::minidump

#endif  // DOPPEL_DUMPWRITER_MINIDUMP_CONTEXT_AMD64_H_
