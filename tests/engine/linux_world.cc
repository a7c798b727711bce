// SPDX-License-Identifier: Apache-2.0
//
// The suite's subjects on Linux: victims of tests/targets, looked at through /proc.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include <snapshot/linux/linux_backend.h>
#include <snapshot/support/unique_fd.h>
#include <tests/engine/subject.h>
#include <tests/support/live_target.h>

namespace doppel {
namespace {

std::vector<std::string> arguments_of(SubjectKind kind, const TempDir& directory) {
  if (kind == SubjectKind::stamping) return {"64"};
  if (kind == SubjectKind::holding) return {directory.path().string()};
  return {};
}

const char* victim_of(SubjectKind kind) {
  switch (kind) {
    case SubjectKind::stamping:
      return "generations";
    case SubjectKind::sharing:
      return "odd_maps";
    case SubjectKind::holding:
      break;
  }
  return "holder";
}

class LinuxSubject final : public Subject {
 public:
  explicit LinuxSubject(SubjectKind kind)
      : kind_(kind), target_(victim_of(kind), arguments_of(kind, directory_)) {
    memory_ = UniqueFd(
        ::open(("/proc/" + std::to_string(target_.pid()) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
    unharmed_.emplace(target_);
  }

  std::int32_t pid() const override { return target_.pid(); }

  std::vector<std::uint64_t> stamps() override {
    std::vector<std::uint64_t> words;
    for (std::uint64_t i = 0; i < target_.number("pages"); ++i)
      words.push_back(target_.number("base" + std::to_string(i % 4)) + i / 4 * 4096);
    return words;
  }

  std::uint64_t shared_word() override { return target_.number("shared_memfd"); }

  std::uint64_t untouched_page() override { return target_.number("sparse") + (7 << 20); }

  std::uint64_t own_word(std::uint64_t address) override {
    std::uint64_t word = 0;
    const ssize_t got = ::pread(memory_.get(), &word, sizeof word, static_cast<off_t>(address));
    return got == static_cast<ssize_t>(sizeof word) ? word : 0;
  }

  void let_run() override {
    const std::vector<std::uint64_t> words = stamps();
    // Once the first has risen twice, all have risen.
    const std::uint64_t first = own_word(words.front());
    while (own_word(words.front()) < first + 2) ::sched_yield();
  }

  bool can_be_taken() override {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(target_.number("port")));
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      return false;
    UniqueFd lock(::open(directory_.file("lock").c_str(), O_RDWR | O_CLOEXEC));
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return false;
    UniqueFd record(::open(directory_.file("record").c_str(), O_RDWR | O_CLOEXEC));
    struct flock range = {};
    range.l_type = F_WRLCK;
    return ::fcntl(record.get(), F_SETLK, &range) == 0;
  }

  void give_up() override {
    target_.command("close");
    if (target_.next_line() != "closed") std::abort();
  }

  void end() override {
    ::kill(target_.pid(), SIGKILL);
    // Left to be reaped by the target's owner.
    siginfo_t how = {};
    ::waitid(P_PID, static_cast<id_t>(target_.started()), &how, WEXITED | WNOWAIT);
  }

  std::string harm() override {
    std::string found = unharmed_->harm();
    if (!found.empty()) return found;
    const Ending ending = target_.finish();
    return ending.ok ? std::string() : "it ended badly: " + ending.failure;
  }

 private:
  SubjectKind kind_;
  TempDir directory_;
  LiveTarget target_;
  UniqueFd memory_;
  std::optional<Unharmed> unharmed_;
};

class LinuxWorld final : public World {
 public:
  std::string skip_reason() override { return LiveTarget("quiet", {"16"}).skip_reason(); }

  std::unique_ptr<Subject> start(SubjectKind kind) override {
    auto subject = std::make_unique<LinuxSubject>(kind);
    before_ = take_own_picture();
    return subject;
  }

  SnapshotBackend& backend() override { return backend_; }

  std::int32_t nobody() override {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    int status = 0;
    ::waitpid(child, &status, 0);
    return child;
  }

  std::string leftovers() override {
    std::string found;
    // A clone that was killed takes a moment to be reaped.
    for (int i = 0; i < 1000 && !(found = describe(before_, take_own_picture())).empty(); ++i)
      ::usleep(1000);
    return found;
  }

 private:
  LinuxBackend backend_;
  OwnPicture before_;
};

}  // namespace

std::unique_ptr<World> make_linux_world(std::uint64_t /*seed*/) {
  return std::make_unique<LinuxWorld>();
}

}  // namespace doppel
