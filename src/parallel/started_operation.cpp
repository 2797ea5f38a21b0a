#include "parallel/started_operation.hpp"

#include <cstdio>
#include <exception>
#include <utility>

namespace precis {

StartedOperation::StartedOperation(std::unique_ptr<Transfer> transfer, RankGroup& ranks,
                                   std::string name, OperationWork work)
    : transfer_(std::move(transfer)), ranks_(&ranks), name_(std::move(name)), work_(work) {}

StartedOperation::~StartedOperation() {
  if (unwinding_.now()) {
    leave();
  }
  try {
    wait();
  } catch (const std::exception& error) {
    // Nobody can be told any more; the other ranks must not go on without this one.
    std::fprintf(stderr, "%s\n", error.what());
    std::terminate();
  }
}

StartedOperation& StartedOperation::operator=(StartedOperation&& other) noexcept {
  // What was here is waited for when `other` is destroyed.
  std::swap(transfer_, other.transfer_);
  std::swap(ranks_, other.ranks_);
  std::swap(name_, other.name_);
  std::swap(work_, other.work_);
  return *this;
}

void StartedOperation::leave() noexcept {
  // The library may still use what the transfer holds until the process ends, so it outlives this
  // object on purpose.
  static_cast<void>(transfer_.release());
}

bool StartedOperation::test() {
  if (!transfer_) {
    return true;
  }
  try {
    if (!transfer_->test(ranks_->progress())) {
      return false;
    }
  } catch (...) {
    leave();
    throw;
  }
  transfer_.reset();
  return true;
}

void StartedOperation::wait() {
  if (transfer_) {
    wait_until(
        *ranks_, name_, [this] { return test(); }, work_);
  }
}

}  // namespace precis
