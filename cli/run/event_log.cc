// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>

#include <utility>

#include <cli/run/event_log.h>

namespace doppel {

Result<> EventLog::open(const std::string& path) {
  const long fd = sys_.openat(AT_FDCWD, path.c_str(),
                              O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0600);
  DOPPEL_TRY(check(fd, "open", path));
  file_.reset(static_cast<int>(fd));
  return {};
}

void EventLog::write(std::string_view event, std::uint64_t t_us, std::int32_t pid,
                     const std::function<void(JsonWriter&)>& more) const {
  if (!file_) return;
  JsonWriter json;
  json.begin_object();
  json.text("event", event);
  json.number("t_us", t_us);
  json.signed_number("pid", pid);
  if (more) more(json);
  json.end_object();
  const std::string line = std::move(json).take() + "\n";
  (void)sys_.write(file_.get(), line.data(), line.size());
}

}  // namespace doppel
