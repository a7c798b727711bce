// SPDX-License-Identifier: Apache-2.0
//
// A format is a pure function from a value to a value: no file, no process, no clock.
#ifndef DOPPEL_DUMPWRITER_PLAN_DUMP_FORMAT_H_
#define DOPPEL_DUMPWRITER_PLAN_DUMP_FORMAT_H_

#include <string_view>

#include <dumpwriter/plan/dump_plan.h>
#include <dumpwriter/plan/selection.h>
#include <snapshot/model/process_image.h>
#include <snapshot/support/result.h>

namespace doppel {

class DumpFormat {
 public:
  DumpFormat() = default;
  DumpFormat(const DumpFormat&) = delete;
  DumpFormat& operator=(const DumpFormat&) = delete;
  virtual ~DumpFormat() = default;

  virtual std::string_view name() const = 0;  ///< "elf", "minidump"
  virtual Result<DumpPlan> plan(const ProcessImage& image, const Selection& selection) const = 0;
};

}  // namespace doppel

#endif  // DOPPEL_DUMPWRITER_PLAN_DUMP_FORMAT_H_
