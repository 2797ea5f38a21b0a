// Waiting that leaves the core to others, shows the watchdog that the waiter lives, and names what
// is waited for.
#pragma once

#include <functional>
#include <string_view>

#include "base/work_log.hpp"
#include "parallel/rank_group.hpp"

namespace precis {

/// What an operation is counted as in the rank's WorkLog, and the bytes that it moves, if any.
struct OperationWork {
  WorkKind kind = WorkKind::waiting;
  std::int64_t bytes = WorkLog::none;
};

/// For the life of the object this rank is inside one operation of `ranks`: its progress record
/// says so, and its work log counts it.
class OperationScope {
 public:
  OperationScope(RankGroup& ranks, std::string_view operation, OperationWork work = {})
      : record_(ranks.progress()),
        scope_(ranks.work(),
               {.kind = work.kind, .name = operation, .group = ranks.name(), .bytes = work.bytes}) {
    record_.enter(ranks.name(), operation);
  }
  ~OperationScope() { record_.leave(); }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;

 private:
  ProgressRecord& record_;
  WorkScope scope_;
};

/// How long to leave the core before asking again: nothing for the first 20 microseconds, then
/// sched_yield, then short sleeps that grow to 100 microseconds.
class Backoff {
 public:
  Backoff();
  void pause();

 private:
  std::int64_t began_;
};

/// Asks `done` until it returns true, as one operation of `ranks` that the watchdog sees.
/// For loops over several mailboxes or over messages and other work; throws what `done` throws.
void wait_until(RankGroup& ranks, std::string_view operation, const std::function<bool()>& done,
                OperationWork work = {});

}  // namespace precis
