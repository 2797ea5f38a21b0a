// Waiting that leaves the core to others, shows the watchdog that the waiter lives, and names what
// is waited for.
#pragma once

#include <functional>
#include <string_view>

#include "parallel/rank_group.hpp"

namespace precis {

/// Marks the record as being inside one operation for the life of the object.
class OperationScope {
 public:
  OperationScope(ProgressRecord& record, std::string_view ranks, std::string_view operation)
      : record_(record) {
    record_.enter(ranks, operation);
  }
  ~OperationScope() { record_.leave(); }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;

 private:
  ProgressRecord& record_;
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
void wait_until(RankGroup& ranks, std::string_view operation, const std::function<bool()>& done);

}  // namespace precis
